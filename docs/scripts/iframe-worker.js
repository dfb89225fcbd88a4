/* Search without a server. Browsers start no Worker from a file, so the script of the search runs in a hidden frame. */
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = `<body><script>
        self.postMessage = (data) => parent.dispatchEvent(new MessageEvent("search", {data, source: window}));
        self.importScripts = (...urls) => urls.reduce((done, each) => done.then(() => new Promise((resolve) => {
          const script = Object.assign(document.createElement("script"), {src: each, onload: resolve});
          document.body.append(script);
        })), Promise.resolve());
      <\/script><script src="${url}"><\/script></body>`;
      this.ready = new Promise((resolve) => frame.addEventListener("load", resolve));
      document.body.append(frame);
      this.frame = frame;
      addEventListener("search", (event) => {
        if (event.source !== frame.contentWindow) return;
        const message = new MessageEvent("message", {data: event.data});
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", {data})));
    }
    terminate() { this.frame.remove(); }
  };
  window.Worker = window.IFrameWorker;
}
