// Runs in the browser's sound thread: hands the microphone's samples to the page, some tens of milliseconds at once.

const TOGETHER = 2048;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Float32Array(TOGETHER);
    this.filled = 0;
  }

  process([input]) {
    const channel = input[0];
    if (!channel) return true;
    for (const sample of channel) {
      this.samples[this.filled] = sample;
      this.filled += 1;
      if (this.filled === TOGETHER) {
        this.port.postMessage(this.samples, [this.samples.buffer]);
        this.samples = new Float32Array(TOGETHER);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("greenroom-capture", Capture);
