/** Version of this software, as it appears in manifests and logs. */
export const toolVersion = "0.1.0";
