// Which microphones and loudspeakers there are. Browsers name them only after the microphone was allowed once.

export interface Device {
  id: string;
  name: string;
}

export interface Devices {
  microphones: Device[];
  speakers: Device[];
}

export const NO_DEVICES: Devices = { microphones: [], speakers: [] };

export async function listDevices(): Promise<Devices> {
  if (!navigator.mediaDevices) return NO_DEVICES;
  const found = await navigator.mediaDevices.enumerateDevices();
  const named = (kind: MediaDeviceKind): Device[] =>
    found
      // Without permission they have neither name nor identifier, and there is nothing to choose.
      .filter((one) => one.kind === kind && one.deviceId && one.label && one.deviceId !== "default")
      .map((one) => ({ id: one.deviceId, name: one.label }));
  return { microphones: named("audioinput"), speakers: named("audiooutput") };
}
