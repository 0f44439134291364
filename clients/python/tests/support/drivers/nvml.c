// Stands in for libnvidia-ml.so.1: its GPUs are those of FAKE_GPUS, "name,major.minor,uuid,mig"
// for each, separated by ";".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char gpus[64][4][96];
static unsigned count;
static int started;

int nvmlInit_v2(void) {
  const char *said = getenv("FAKE_GPUS");
  if (said == NULL) return 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  char text[4096];
  snprintf(text, sizeof text, "%s", said);
  count = 0;
  char *rest = NULL;
  for (char *gpu = strtok_r(text, ";", &rest); gpu; gpu = strtok_r(NULL, ";", &rest), count++) {
    char *in_gpu = NULL;
    char *field = strtok_r(gpu, ",", &in_gpu);
    for (int i = 0; i < 4; i++, field = strtok_r(NULL, ",", &in_gpu))
      snprintf(gpus[count][i], 96, "%s", field ? field : "");
  }
  started++;
  return 0;
}

int nvmlShutdown(void) { return started-- > 0 ? 0 : 1; }

int nvmlDeviceGetCount_v2(unsigned *found) {
  *found = count;
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  if (index >= count) return 2;
  *handle = gpus[index];
  return 0;
}

static int give(const char *text, char *to, unsigned length) {
  if (strlen(text) >= length) return 7;  // NVML_ERROR_INSUFFICIENT_SIZE
  strcpy(to, text);
  return 0;
}

int nvmlDeviceGetName(char (*gpu)[96], char *to, unsigned length) { return give(gpu[0], to, length); }

int nvmlDeviceGetUUID(char (*gpu)[96], char *to, unsigned length) { return give(gpu[2], to, length); }

int nvmlDeviceGetCudaComputeCapability(char (*gpu)[96], int *major, int *minor) {
  return sscanf(gpu[1], "%d.%d", major, minor) == 2 ? 0 : 999;
}

int nvmlDeviceGetMigMode(char (*gpu)[96], unsigned *current, unsigned *pending) {
  if (gpu[3][0] == '\0') return 3;  // NVML_ERROR_NOT_SUPPORTED
  *current = *pending = gpu[3][0] == '1';
  return 0;
}
