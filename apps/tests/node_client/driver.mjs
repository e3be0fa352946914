// Calls the official npm client as told: one JSON call per line of standard input, one JSON answer per line of output.
//   {"mode": "chat", "method": "createChatMessage", "args": [...]}            -> {"status": 200, "data": ...}
//   {"mode": "chat", "method": "createChatMessage", "args": [...], "read": "stream"}: data is the whole text of the stream
//   {"mode": "chat", "method": "fileUpload", "file": {"name", "type", "base64"}, "user": "u1"}
import { createInterface } from "node:readline";
import { ChatClient, CompletionClient } from "dify-client";

const [baseUrl, chatKey, completionKey] = process.argv.slice(2);
const clients = { chat: new ChatClient(chatKey, baseUrl), completion: new CompletionClient(completionKey, baseUrl) };

async function text(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

function form({ file, user }) {
  const data = new FormData();
  data.append("file", new Blob([Buffer.from(file.base64, "base64")], { type: file.type }), file.name);
  data.append("user", user);
  return data;
}

async function answer(call) {
  const args = call.file ? [form(call)] : call.args;
  try {
    const response = await clients[call.mode][call.method](...args);
    const data = response === undefined ? undefined : response.data;
    return { status: response?.status ?? 0, data: call.read === "stream" ? await text(data) : data };
  } catch (error) {
    if (!error.response) throw error;
    return { status: error.response.status, data: error.response.data };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
