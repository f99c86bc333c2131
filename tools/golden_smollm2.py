"""Golden numbers of a Llama GGUF file, made by PyTorch on its dequantised weights.

    python tools/golden_smollm2.py MODEL.gguf > tests/model/golden/smollm2.txt

Needs torch, transformers and gguf. Each prompt gives
    ids N id...                     the prompt
    row P argmax LSE                position P: best id, log-sum-exp of its logits (float64)
    top P id:logit ...              its 64 largest logits
    greedy id...                    32 tokens of greedy continuation
The q and k rows of a Llama GGUF are permuted (pairs i, i + D/2 of a head lie next to each other);
transformers wants them as they were, so they are put back here.
"""

import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import LlamaConfig, LlamaForCausalLM

PROMPTS = [
    "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\nWhat should I do when my card was stolen?<|im_end|>\n"
    "<|im_start|>assistant\n",
    "Water damage is one of the most common claims that an insurer of homes has to deal with. "
    "It begins with a dripping tap, a washing machine whose hose has come loose, or a pipe that "
    "froze in January and burst in the first warm night of March. What matters first is to stop "
    "the water: close the main valve, switch off the electricity where it is wet, and move what can "
    "be moved. Then take photographs before anything is dried or thrown away. A policy of contents "
    "pays for furniture, carpets and clothes; a policy of buildings pays for walls, floors and pipes. "
    "In 1998, 42 % of all such claims were settled within 14 days, and the average was 2,310 euros.",
]
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


def load(path):
    r = GGUFReader(path)
    meta = lambda k: r.fields["llama." + k].contents()
    heads, kv = meta("attention.head_count"), meta("attention.head_count_kv")
    tokens = r.fields["tokenizer.ggml.tokens"].contents()
    merges = [m.split(" ") for m in r.fields["tokenizer.ggml.merges"].contents()]
    config = LlamaConfig(
        vocab_size=len(tokens), hidden_size=meta("embedding_length"),
        intermediate_size=meta("feed_forward_length"), num_hidden_layers=meta("block_count"),
        num_attention_heads=heads, num_key_value_heads=kv,
        max_position_embeddings=meta("context_length"), rope_theta=meta("rope.freq_base"),
        rms_norm_eps=meta("attention.layer_norm_rms_epsilon"), tie_word_embeddings=True)
    config.rope_parameters = {"rope_type": "default", "rope_theta": meta("rope.freq_base")}
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config).float().eval()
    state = {}
    for t in r.tensors:
        w = dequantize(t.data, t.tensor_type).astype(np.float32)
        if t.name == "token_embd.weight":
            state["model.embed_tokens.weight"] = w
        elif t.name == "output_norm.weight":
            state["model.norm.weight"] = w
        elif t.name.startswith("blk."):
            _, layer, part, _ = t.name.split(".")
            if part in ("attn_q", "attn_k"):
                w = unpermute(w, heads if part == "attn_q" else kv)
            state[f"model.layers.{layer}.{NAMES[part]}.weight"] = w
    state = {k: torch.tensor(np.ascontiguousarray(v)) for k, v in state.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    missing, extra = model.load_state_dict(state, strict=False)
    assert not missing and not extra, (missing, extra)
    return model, tokens, merges


def tokenizer(tokens, merges, types):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    t = Tokenizer(models.BPE({x: i for i, x in enumerate(tokens)}, [tuple(m) for m in merges]))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False, use_regex=True)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(x, special=True) for x, k in zip(tokens, types) if k == 3])
    return t


def main():
    torch.set_num_threads(2)
    model, tokens, merges = load(sys.argv[1])
    types = GGUFReader(sys.argv[1]).fields["tokenizer.ggml.token_type"].contents()
    tok = tokenizer(tokens, merges, types)
    print("# made by tools/golden_smollm2.py")
    with torch.no_grad():
        for prompt in PROMPTS:
            ids = tok.encode(prompt).ids
            print("ids", len(ids), *ids)
            logits = model(torch.tensor([ids])).logits[0]
            for p in sorted({0, len(ids) // 3, len(ids) // 2, len(ids) - 1}):
                row = logits[p].double()
                top = torch.topk(row, 64)
                print("row", p, int(row.argmax()), f"{torch.logsumexp(row, 0):.7f}",
                      f"{row.abs().max():.7f}")
                print("top", p, *[f"{i}:{v:.6f}" for v, i in zip(top.values.tolist(), top.indices.tolist())])
            seq = list(ids)
            margin = 1e9
            past = None
            step = torch.tensor([seq])
            out = []
            for _ in range(32):
                r = model(step, past_key_values=past, use_cache=True)
                past = r.past_key_values
                two = torch.topk(r.logits[0, -1], 2)
                margin = min(margin, float(two.values[0] - two.values[1]))
                out.append(int(two.indices[0]))
                step = torch.tensor([[out[-1]]])
            print("greedy", *out)
            print(f"# smallest margin {margin:.4f}", file=sys.stderr)
            print("#", repr(tok.decode(out)), file=sys.stderr)


main()
