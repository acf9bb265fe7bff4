// SPDX-License-Identifier: LGPL-2.1-or-later
// The visitor's side: camera to the server by WebRTC, and the picture that comes back.
"use strict";

const at = (id) => document.getElementById(id);
let socket = null, peer = null;

function say(words) {
  at("words").textContent = words;
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function enable(on) {
  for (const id of ["mode", "blur", "reset"]) at(id).disabled = !on;
  at("start").textContent = on ? "Stop" : "Start";
}

function stop(words) {
  if (peer) {
    for (const sender of peer.getSenders()) if (sender.track) sender.track.stop();
    peer.close();
  }
  if (socket) {
    socket.onclose = null;
    socket.close();
  }
  peer = socket = null;
  at("video").srcObject = null;
  at("blur").setAttribute("aria-pressed", "false");
  at("mode").value = "auto";
  at("figures").textContent = "";
  enable(false);
  say(words);
}

async function answer(sdp, camera) {
  peer = new RTCPeerConnection();
  peer.onicecandidate = ({candidate}) => {
    if (candidate && candidate.candidate)
      send({type: "ice", sdpMLineIndex: candidate.sdpMLineIndex, candidate: candidate.candidate});
  };
  peer.ontrack = ({track}) => {
    at("video").srcObject = new MediaStream([track]);
    say("");
  };
  peer.onconnectionstatechange = () => {
    if (peer && peer.connectionState === "failed") stop("The connection to the server failed.");
  };
  await peer.setRemoteDescription({type: "offer", sdp});
  const transceiver = peer.getTransceivers()[0];
  transceiver.direction = "sendrecv";
  await transceiver.sender.replaceTrack(camera.getVideoTracks()[0]);
  await peer.setLocalDescription(await peer.createAnswer());
  send({type: "answer", sdp: peer.localDescription.sdp});
}

async function receive(message, camera) {
  if (message.type === "offer") {
    await answer(message.sdp, camera);
  } else if (message.type === "ice") {
    await peer.addIceCandidate({sdpMLineIndex: message.sdpMLineIndex, candidate: message.candidate});
  } else if (message.type === "figures") {
    const ids = message.objects.length ? message.objects.map((id) => "#" + id).join(" ") : "none";
    at("figures").textContent =
      `${message.rate} frames/s, network ${message.network} ms, objects: ${ids}`;
  } else if (message.type === "busy") {
    camera.getTracks().forEach((track) => track.stop());
    stop(`${message.visitors} visitors are here already. Try again later.`);
  } else if (message.type === "error") {
    at("figures").textContent = message.words;
  }
}

async function start() {
  let camera;
  say("Waiting for the camera ...");
  try {
    camera = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}});
  } catch (e) {
    say(navigator.mediaDevices ? `No camera: ${e.message}`
                               : "A browser gives the camera to https only.");
    return;
  }
  say("Connecting ...");
  enable(true);
  const url = new URL("socket" + location.search, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  // One after another: a candidate may come while the offer is being answered.
  let turn = Promise.resolve();
  socket.onmessage = ({data}) => {
    turn = turn.then(() => receive(JSON.parse(data), camera)).catch((e) => stop(e.message));
  };
  socket.onclose = () => {
    camera.getTracks().forEach((track) => track.stop());
    stop("The server has gone.");
  };
}

at("start").onclick = () => (socket ? stop("Stopped.") : start());
at("mode").onchange = () => send({type: "mode", mode: at("mode").value});
at("reset").onclick = () => send({type: "reset"});
at("blur").onclick = () => {
  const on = at("blur").getAttribute("aria-pressed") !== "true";
  at("blur").setAttribute("aria-pressed", String(on));
  send({type: "blur", on});
};
at("video").onclick = (event) => {
  const box = at("video").getBoundingClientRect();
  send({type: "click", x: (event.clientX - box.left) / box.width,
        y: (event.clientY - box.top) / box.height});
};
