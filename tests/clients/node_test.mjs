// OpenAI's, Anthropic's and Ollama's JavaScript clients and the Vercel AI SDK, unchanged, against a
// server with smollm2 and minilm: node node_test.mjs URL
import assert from "node:assert/strict";
import http from "node:http";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { Ollama } from "ollama";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { z } from "zod";

const url = process.argv[2];
const hello = [{ role: "user", content: "Say hello." }];
const story = [{ role: "user", content: "Tell a long story." }];
const weather = [{ role: "user", content: "What is the weather in Paris? Use the tool." }];
const city = {
    type: "object", properties: { city: { type: "string", maxLength: 30 } },
    required: ["city"], additionalProperties: false,
};
const colours = ["red", "green", "blue"];
const schema = {
    type: "object", properties: { colour: { type: "string", enum: colours } },
    required: ["colour"], additionalProperties: false,
};
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

// A proxy that answers the first requests with 503 and hands the rest on.
async function flaky(failures) {
    const state = { seen: 0 };
    const server = http.createServer((rq, rp) => {
        state.seen++;
        if (state.seen <= failures) {
            rq.resume();
            rp.writeHead(503, { "retry-after": "0", "content-type": "application/json" });
            return rp.end('{"error":{"message":"busy","type":"server_error"}}');
        }
        const target = new URL(rq.url, url);
        const headers = { ...rq.headers, host: target.host };
        const up = http.request(target, { method: rq.method, headers }, (answer) => {
            rp.writeHead(answer.statusCode, answer.headers);
            answer.pipe(rp);
        });
        rq.pipe(up);
    });
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    state.url = `http://127.0.0.1:${server.address().port}`;
    state.close = () => { server.closeAllConnections(); server.close(); };
    return state;
}

const get = async (path) => (await fetch(url + path)).json();
const newest = async () => (await get("/v1/requests?limit=1")).requests[0]?.id;

// leave() begins a long answer and goes away: the record must say that it was broken off. Three
// times, for a busy machine may write the whole answer before the client has gone.
async function leavingStops(leave) {
    let step;
    for (let i = 0; i < 3; i++) {
        const before = await newest();
        let id = before;
        await leave();
        for (const end = Date.now() + 60000; id === before; id = await newest()) {
            assert.ok(Date.now() < end, "the request is not on record");
            await new Promise((done) => setTimeout(done, 20));
        }
        step = (await get(`/v1/requests/${id}`)).steps[0];
        if (step.outcome === "failed" && step.note.includes("left")) return;
    }
    assert.fail(`it was answered to its end: ${JSON.stringify(step)}`);
}

const tests = {};

// ---- OpenAI ----

const openai = new OpenAI({ baseURL: url + "/v1", apiKey: "any", maxRetries: 0 });
const more = { model: "smollm2", temperature: 0, max_completion_tokens: 24 };
const openaiTool = { type: "function", function: { name: "weather", parameters: city } };

tests["OpenAI's: chats and streams the same words"] = async () => {
    const whole = await openai.chat.completions.create({ messages: hello, ...more });
    let words = "", usage;
    const stream = await openai.chat.completions.create({
        messages: hello, stream: true, stream_options: { include_usage: true }, ...more });
    for await (const chunk of stream) {
        words += chunk.choices[0]?.delta.content ?? "";
        usage = chunk.usage ?? usage;
    }
    assert.ok(words);
    assert.equal(words, whole.choices[0].message.content);
    assert.equal(usage.total_tokens, whole.usage.total_tokens);
    const helped = openai.chat.completions.stream({ messages: hello, ...more });
    assert.equal(await helped.finalContent(), words);
};

tests["OpenAI's: loops with tools"] = async () => {
    const ask = { ...more, max_completion_tokens: 120, tools: [openaiTool] };
    const said = (await openai.chat.completions.create({
        messages: weather, tool_choice: "required", parallel_tool_calls: false, ...ask,
    })).choices[0];
    assert.equal(said.finish_reason, "tool_calls");
    const call = said.message.tool_calls[0];
    assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
    const last = await openai.chat.completions.create({ tool_choice: "none", ...ask, messages: [
        ...weather, said.message, { role: "tool", tool_call_id: call.id, content: "Snow." }] });
    assert.ok(last.choices[0].message.content);
    const streamed = await openai.chat.completions.stream({
        messages: weather, tool_choice: "required", parallel_tool_calls: false, ...ask,
    }).finalChatCompletion();
    assert.deepEqual(JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments),
        JSON.parse(call.function.arguments));
};

tests["OpenAI's: holds a schema"] = async () => {
    const got = await openai.chat.completions.parse({
        messages: [{ role: "user", content: "A colour?" }], ...more, temperature: 1,
        max_completion_tokens: 60,
        response_format: { type: "json_schema", json_schema: { name: "c", schema, strict: true } } });
    assert.ok(colours.includes(JSON.parse(got.choices[0].message.content).colour));
};

tests["OpenAI's: several choices"] = async () => {
    const got = await openai.chat.completions.create({ messages: hello, ...more, n: 3, temperature: 1 });
    assert.deepEqual(got.choices.map((c) => c.index).sort(), [0, 1, 2]);
};

tests["OpenAI's: embeddings"] = async () => {
    const input = ["a red car", "a crimson automobile", "green tea"];
    const got = await openai.embeddings.create({ model: "minilm", input }); // base64 underneath
    const plain = await openai.embeddings.create({ model: "minilm", input, encoding_format: "float" });
    const [a, b, c] = got.data.map((d) => d.embedding);
    assert.equal(a.length, 384);
    assert.ok(dot(a, b) > dot(a, c));
    plain.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - a[i]) < 1e-6));
};

tests["OpenAI's: errors are its own"] = async () => {
    await assert.rejects(openai.chat.completions.create({ messages: hello, model: "none" }),
        (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
    await assert.rejects(openai.chat.completions.create({
        ...more, messages: [{ role: "user", content: "word ".repeat(20000) }] }),
        (e) => e instanceof OpenAI.BadRequestError && e.code === "context_length_exceeded");
    await assert.rejects(openai.chat.completions.create({ messages: hello, ...more, tempratur: 1 }),
        (e) => e instanceof OpenAI.BadRequestError && e.param === "tempratur");
};

tests["OpenAI's: leaving stops the answer"] = async () => leavingStops(async () => {
    const stream = await openai.chat.completions.create({
        messages: story, model: "smollm2", max_completion_tokens: 4000, stream: true });
    for await (const _ of stream) break; // ends by aborting
});

tests["OpenAI's: retries what was busy"] = async () => {
    const proxy = await flaky(2);
    const again = new OpenAI({ baseURL: proxy.url + "/v1", apiKey: "any", maxRetries: 2 });
    assert.ok((await again.chat.completions.create({ messages: hello, ...more })).choices[0]);
    assert.equal(proxy.seen, 3);
    proxy.close();
};

tests["OpenAI's: lists models"] = async () => {
    const ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    assert.ok(ids.includes("smollm2"));
};

// ---- Anthropic ----

const anthropic = new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 });
const claude = { model: "smollm2", max_tokens: 24, temperature: 0 };
const claudeTool = { name: "weather", description: "The weather of a city", input_schema: city };

tests["Anthropic's: chats and streams the same words"] = async () => {
    const whole = await anthropic.messages.create({ messages: hello, ...claude });
    const stream = anthropic.messages.stream({ messages: hello, ...claude });
    let words = "";
    stream.on("text", (text) => { words += text; });
    const last = await stream.finalMessage();
    assert.ok(words);
    assert.equal(words, whole.content[0].text);
    assert.equal(last.stop_reason, whole.stop_reason);
    assert.equal(last.usage.output_tokens, whole.usage.output_tokens);
    const count = await anthropic.messages.countTokens({ model: "smollm2", messages: hello });
    assert.equal(count.input_tokens,
        whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
};

tests["Anthropic's: loops with tools"] = async () => {
    const ask = { ...claude, max_tokens: 120, tools: [claudeTool] };
    const said = await anthropic.messages.stream({ messages: weather, ...ask,
        tool_choice: { type: "any", disable_parallel_tool_use: true } }).finalMessage();
    const call = said.content.find((block) => block.type === "tool_use");
    assert.equal(said.stop_reason, "tool_use");
    assert.equal(typeof call.input.city, "string");
    const last = await anthropic.messages.create({ ...ask, tool_choice: { type: "none" }, messages: [
        ...weather, { role: "assistant", content: said.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "Snow." }] }] });
    assert.ok(last.content[0].text);
};

tests["Anthropic's: holds a schema"] = async () => {
    const got = await anthropic.messages.create({
        model: "smollm2", max_tokens: 60, messages: [{ role: "user", content: "A colour?" }],
        output_config: { format: { type: "json_schema", schema } } });
    assert.ok(colours.includes(JSON.parse(got.content[0].text).colour));
};

tests["Anthropic's: errors are its own"] = async () => {
    await assert.rejects(anthropic.messages.create({ messages: hello, model: "none", max_tokens: 5 }),
        (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === "not_found_error");
    await assert.rejects(anthropic.messages.create({
        ...claude, messages: [{ role: "user", content: "word ".repeat(20000) }] }),
        (e) => e instanceof Anthropic.BadRequestError);
};

tests["Anthropic's: leaving stops the answer"] = async () => leavingStops(async () => {
    const stream = await anthropic.messages.create({
        messages: story, model: "smollm2", max_tokens: 4000, stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break;
});

tests["Anthropic's: retries what was busy"] = async () => {
    const proxy = await flaky(2);
    const again = new Anthropic({ baseURL: proxy.url, apiKey: "any", maxRetries: 2 });
    assert.ok((await again.messages.create({ messages: hello, ...claude })).content[0].text);
    assert.equal(proxy.seen, 3);
    proxy.close();
};

// ---- Ollama ----

const ollama = new Ollama({ host: url });
const greedy = { temperature: 0, num_predict: 24, repeat_penalty: 1 };

tests["Ollama's: chats and streams the same words"] = async () => {
    const whole = await ollama.chat({ model: "smollm2", messages: hello, options: greedy });
    let words = "", last;
    for await (const part of await ollama.chat({
        model: "smollm2", messages: hello, options: greedy, stream: true })) {
        words += part.message.content;
        last = part;
    }
    assert.ok(words);
    assert.equal(words, whole.message.content);
    assert.ok(last.done && last.eval_count === whole.eval_count);
};

tests["Ollama's: tools, schema, embeddings, models"] = async () => {
    const said = await ollama.chat({ model: "smollm2", messages: weather, tools: [openaiTool],
        tool_choice: "required", options: { ...greedy, num_predict: 120 } });
    assert.equal(typeof said.message.tool_calls[0].function.arguments.city, "string");
    const told = await ollama.chat({ model: "smollm2", tools: [openaiTool], options: greedy, messages: [
        ...weather, said.message, { role: "tool", tool_name: "weather", content: "Snow." }] });
    assert.ok(told.done);
    const got = await ollama.chat({ model: "smollm2", format: schema, options: { num_predict: 60 },
        messages: [{ role: "user", content: "A colour?" }] });
    assert.ok(colours.includes(JSON.parse(got.message.content).colour));
    const { embeddings } = await ollama.embed({ model: "minilm", input: ["a", "b"] });
    assert.deepEqual(embeddings.map((e) => e.length), [384, 384]);
    const { models } = await ollama.list();
    assert.ok(models.some((m) => m.model === "smollm2:latest"));
};

tests["Ollama's: errors are its own"] = async () => {
    await assert.rejects(ollama.chat({ model: "none", messages: hello }),
        (e) => e.name === "ResponseError" && e.status_code === 404);
    await assert.rejects(ollama.pull({ model: "smollm2" }), /bantam pull/);
};

tests["Ollama's: leaving stops the answer"] = async () => leavingStops(async () => {
    const stream = await ollama.chat({ model: "smollm2", messages: story, stream: true,
        options: { num_predict: 4000 } });
    await assert.rejects(async () => {
        for await (const _ of stream) stream.abort();
    }, { name: "AbortError" });
});

// ---- the Vercel AI SDK ----

const bantam = createOpenAICompatible({
    name: "bantam", baseURL: url + "/v1", apiKey: "any", supportsStructuredOutputs: true });
const model = bantam("smollm2");
const quiet = { model, temperature: 0, maxRetries: 0 };

tests["Vercel AI SDK: chats and streams the same words"] = async () => {
    const whole = await ai.generateText({ ...quiet, prompt: "Say hello.", maxOutputTokens: 24 });
    const stream = ai.streamText({ ...quiet, prompt: "Say hello.", maxOutputTokens: 24 });
    let words = "";
    for await (const piece of stream.textStream) words += piece;
    assert.ok(words);
    assert.equal(words, whole.text);
    assert.equal(await stream.finishReason, whole.finishReason);
};

tests["Vercel AI SDK: loops with tools"] = async () => {
    const asked = [];
    const tools = { weather: ai.tool({
        description: "The weather of a city", inputSchema: z.object({ city: z.string().max(30) }),
        execute: async ({ city }) => { asked.push(city); return `Snow in ${city}.`; } }) };
    const got = await ai.generateText({ ...quiet, tools, prompt: weather[0].content,
        maxOutputTokens: 120, toolChoice: "required", stopWhen: ai.stepCountIs(1) });
    assert.ok(asked.length > 0 && got.toolResults.length === asked.length);
    const last = await ai.generateText({ ...quiet, tools, toolChoice: "none", maxOutputTokens: 24,
        messages: [{ role: "user", content: weather[0].content }, ...got.response.messages] });
    assert.ok(last.text);
    const stream = ai.streamText({ ...quiet, tools, prompt: weather[0].content,
        maxOutputTokens: 120, toolChoice: "required", stopWhen: ai.stepCountIs(1) });
    assert.equal((await stream.toolCalls)[0].toolName, "weather");
};

tests["Vercel AI SDK: holds a schema"] = async () => {
    const got = await ai.generateText({ ...quiet, temperature: 1, maxOutputTokens: 60,
        prompt: "A colour?", output: ai.Output.object({ schema: z.object({ colour: z.enum(colours) }) }) });
    assert.ok(colours.includes(got.output.colour));
};

tests["Vercel AI SDK: embeddings"] = async () => {
    const { embeddings } = await ai.embedMany({
        model: bantam.embeddingModel("minilm"),
        values: ["a red car", "a crimson automobile", "green tea"] });
    assert.ok(dot(embeddings[0], embeddings[1]) > dot(embeddings[0], embeddings[2]));
};

tests["Vercel AI SDK: errors are its own"] = async () => {
    await assert.rejects(ai.generateText({ ...quiet, model: bantam("none"), prompt: "hi" }),
        (e) => ai.APICallError.isInstance(e) && e.statusCode === 404 && !e.isRetryable);
};

tests["Vercel AI SDK: leaving stops the answer"] = async () => leavingStops(async () => {
    const leave = new AbortController();
    const stream = ai.streamText({ ...quiet, temperature: 1, prompt: "Tell a long story.",
        maxOutputTokens: 4000, abortSignal: leave.signal, onError: () => {} });
    for await (const part of stream.fullStream) if (part.type === "text-delta") leave.abort();
});

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
    try {
        await test();
        console.log(`ok - JavaScript, ${name}`);
    } catch (error) { // each test reports for itself
        failed = 1;
        console.error(error);
        console.log(`not ok - JavaScript, ${name}`);
    }
}
process.exit(failed);
