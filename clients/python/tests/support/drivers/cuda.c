// Stands in for libcuda.so.1: its first GPU is FAKE_CUDA_GPU, "name,major,minor".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char name[96];
static int capability[2];

int cuInit(unsigned flags) {
  const char *said = getenv("FAKE_CUDA_GPU");
  if (said == NULL) return 100;  // CUDA_ERROR_NO_DEVICE
  return sscanf(said, "%95[^,],%d,%d", name, &capability[0], &capability[1]) == 3 ? 0 : 999;
}

int cuDeviceGetCount(int *count) {
  *count = 1;
  return 0;
}

int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return 0;
}

int cuDeviceGetName(char *to, int length, int device) {
  snprintf(to, length, "%s", name);
  return device;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  if (attribute < 75 || attribute > 76) return 1;
  *value = capability[attribute - 75];
  return device;
}
