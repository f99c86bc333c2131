#!/usr/bin/env python3
"""Goldens of the steps of a tokenizer.json, one by one and together, by the tokenizers package.

  python tools/golden_token_steps.py [TEXTS] > tests/token/golden_steps.jsonl

Small vocabularies are made here from the odd texts, so that every run makes the same ones. Lines: {"model": name, "json": the
model}, then for each case {"case": name, "model": name, "json": the rest of the tokenizer.json} and its texts,
{"text": ..., "ids": [...], "back": ...}: special tokens are read as such, the post-processor's are added; "back" (what the ids
are decoded to, special tokens left out) is given where a case's decoder is the point.

Needs: pip install tokenizers==0.23.3.
"""
import collections
import json
import math
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders as D, models, normalizers as N, pre_tokenizers as P
from tokenizers import processors as R

from golden_texts import WORDS, texts

CORPUS = texts(400) + [" ".join(WORDS)] * 20
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
UP, LOW, TAIL = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
END = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UP}*{LOW}+{TAIL}|[^\r\n\p{{L}}\p{{N}}]?{UP}+{LOW}*{TAIL}|\p{{N}}{{1,3}}{END}")
TEKKEN = rf"[^\r\n\p{{L}}\p{{N}}]?{UP}*{LOW}+|[^\r\n\p{{L}}\p{{N}}]?{UP}+{LOW}*|\p{{N}}{END}"
DEEPSEEK = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+").replace(r"\r\n", "\r\n")


def merges_of(words, start, count):
    """Plain BPE training: the most frequent pair, the first in order among equals."""
    words = collections.Counter(words)
    words = {word: list(word) for word in words if word}, words
    vocab, merges = list(start), []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, parts in words[0].items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[1][word]
        pair = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(pair)
        vocab.append("".join(pair))
        for parts in words[0].values():
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == pair:
                    parts[i:i + 2] = ["".join(pair)]
                i += 1
    return {piece: i for i, piece in enumerate(dict.fromkeys(vocab))}, merges


def byte_model():
    cut = P.ByteLevel(add_prefix_space=False)
    words = [w for text in CORPUS for w, _ in cut.pre_tokenize_str(text)]
    return merges_of(words, sorted(P.ByteLevel.alphabet()), 80)


def char_model():
    words = ["\u2581" + w for text in CORPUS for w in text.split(" ") if w.isascii()]
    letters = [c for c, _ in sorted(collections.Counter("".join(words)).items(), key=lambda x: (-x[1], x[0]))[:60]]
    words = ["".join(c for c in w if c in letters) for w in words]
    return merges_of(words, ["<unk>"] + letters, 60)


def unigram_model():
    counts = collections.Counter()
    for word in ["\u2581" + w for text in CORPUS for w in text.split() if w.isascii()]:
        for i in range(len(word)):
            for n in range(1, 6):
                if i + n <= len(word):
                    counts[word[i:i + n]] += 1
    best = sorted(counts.items(), key=lambda x: (-x[1] * len(x[0]) ** 2, x[0]))[:160]
    total = sum(n for _, n in best)
    return [["<unk>", 0.0], ["</s>", 0.0]] + [[p, round(math.log(n / total) + len(p), 4)] for p, n in best]


def wordpiece_model():
    counts = collections.Counter()
    for word in [w for text in CORPUS for w in text.lower().split() if w.isalnum()]:
        for n in range(1, 5):
            counts[word[:n]] += 1
            for i in range(1, len(word) - n + 1):
                counts["##" + word[i:i + n]] += 1
    best = sorted(counts.items(), key=lambda x: (-x[1] * len(x[0].strip("#")), x[0]))[:200]
    return {p: i for i, p in enumerate(["[UNK]", "[CLS]", "[SEP]", ".", ",", "'", "!"] + [p for p, _ in best])}


def bytes_too(vocab):
    return {**vocab, **{f"<0x{b:02X}>": len(vocab) + b for b in range(256)}}


BYTES, CHARS, UNIGRAM, WORDPIECE = byte_model(), char_model(), unigram_model(), wordpiece_model()
MODELS = {
    "bytes": models.BPE(*BYTES),
    "chars": models.BPE(bytes_too(CHARS[0]), CHARS[1], unk_token="<unk>", fuse_unk=True, byte_fallback=True),
    "chars unknown": models.BPE(*CHARS, unk_token="<unk>", fuse_unk=False),
    "chars fused": models.BPE(*CHARS, unk_token="<unk>", fuse_unk=True),
    "chars silent": models.BPE(*CHARS),
    "unigram": models.Unigram([tuple(p) for p in UNIGRAM], 0, False),
    "unigram bytes": models.Unigram([tuple(p) for p in UNIGRAM] + [(f"<0x{b:02X}>", -20.0) for b in range(256)], 0, True),
    "wordpiece": models.WordPiece(WORDPIECE, unk_token="[UNK]", max_input_chars_per_word=20),
}
GPT2 = P.ByteLevel(add_prefix_space=False)
PLAIN = P.ByteLevel(add_prefix_space=False, use_regex=False)
ADDED = [AddedToken("the", single_word=True, normalized=False), AddedToken("<x>", lstrip=True, rstrip=True, special=True),
         AddedToken("claim", normalized=True), AddedToken("pol", normalized=False), AddedToken("policy", normalized=False),
         AddedToken("CAR", normalized=True), AddedToken(" is", normalized=True, rstrip=True), AddedToken("  ", normalized=False)]
LLAMA = D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
GEMMA = D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse()])
PREPEND = N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")])


def split(pattern, how="isolated", invert=False):
    return P.Split(Regex(pattern), how, invert)


def cases():
    """name, model, normalizer, pre_tokenizer, decoder, added tokens, post_processor"""
    def pre(name, *cuts, last=PLAIN):
        return (name, "bytes", None, P.Sequence([*cuts, last]), D.ByteLevel(), [], None)

    yield ("gpt-2", "bytes", None, GPT2, D.ByteLevel(), [], None)
    yield ("prefix space", "bytes", None, P.ByteLevel(add_prefix_space=True), None, [], None)
    yield pre("gpt-4", split(GPT4))
    yield pre("gpt-4o", split(O200K))
    yield pre("tekken", split(TEKKEN))
    yield pre("deepseek-v3", split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK))
    yield pre("digits", P.Digits(individual_digits=True), last=GPT2)
    yield pre("digits contiguous, punctuation contiguous", P.Digits(), P.Punctuation("contiguous"), last=GPT2)
    for how in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
        yield pre(f"split {how}", split(r"[a-e]|\s", how))
        yield pre(f"split {how} inverted", split(r"[a-e]|\s", how, True))
        yield pre(f"text {how}", P.Split("a", how))
        yield pre(f"punctuation {how}", P.Punctuation(how))
    yield pre("whitespace split", P.WhitespaceSplit())
    yield pre("whitespace", P.Whitespace())
    yield pre("bert", P.BertPreTokenizer())
    yield pre("delimiter", P.CharDelimiterSplit("e"))
    steps = {
        "nfc": N.NFC(), "nfd": N.NFD(), "nfkc": N.NFKC(), "nfkd": N.NFKD(), "lowercase": N.Lowercase(), "strip": N.Strip(),
        "strip left": N.Strip(True, False), "strip accents": N.Sequence([N.NFD(), N.StripAccents()]), "nmt": N.Nmt(),
        "replace": N.Replace("a", "bbb"), "replace by expression": N.Replace(Regex(" {2,}"), " "), "prepend": N.Prepend("xx"),
        "bert": N.BertNormalizer(), "bert as it is": N.BertNormalizer(False, False, False, True),
        "bert cased": N.BertNormalizer(lowercase=False), "bert cased bare": N.BertNormalizer(lowercase=False, strip_accents=True),
    }
    for name, step in steps.items():
        yield (f"normalizer {name}", "bytes", step, GPT2, None, [], None)
    yield ("added tokens", "bytes", None, GPT2, None, ADDED, None)
    yield ("added tokens, small letters", "bytes", N.Lowercase(), GPT2, None, ADDED, None)
    yield ("llama 2", "chars", PREPEND, None, LLAMA, [], None)
    for model in ["chars unknown", "chars fused", "chars silent"]:
        yield (model, model, PREPEND, None, LLAMA, [], None)
    yield ("gemma", "chars", N.Replace(" ", "\u2581"), P.Split(" ", "merged_with_previous"), GEMMA,
           [AddedToken("\n\n", normalized=False), AddedToken("\u2581\u2581", normalized=True), AddedToken("<b>", normalized=False)], None)
    for scheme in ["first", "always", "never"]:
        yield (f"metaspace {scheme}", "chars fused", N.NFC(), P.Metaspace(prepend_scheme=scheme), None,
               [AddedToken("claim", special=True)], None)
    yield ("metaspace in one", "chars fused", None, P.Metaspace(prepend_scheme="first", split=False), None, [], None)
    xlmr = P.Sequence([P.WhitespaceSplit(), P.Metaspace()])
    end = R.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    yield ("unigram", "unigram", N.NFKC(), xlmr, None, [AddedToken("</s>", special=True)], end)
    yield ("unigram in one", "unigram", N.NFKC(), P.Metaspace(), None, [], None)
    yield ("unigram bytes", "unigram bytes", None, P.Metaspace(), None, [], None)
    ends = [AddedToken("[CLS]", special=True), AddedToken("[SEP]", special=True)]
    yield ("wordpiece", "wordpiece", N.BertNormalizer(), P.BertPreTokenizer(), D.WordPiece(cleanup=False), ends,
           R.BertProcessing(("[SEP]", 2), ("[CLS]", 1)))
    yield ("wordpiece, other steps", "wordpiece", N.Sequence([N.NFKC(), N.Lowercase()]), P.Whitespace(), None, ends,
           R.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1)))
    yield ("wordpiece, added tokens", "wordpiece", N.BertNormalizer(), P.BertPreTokenizer(), None, ends + ADDED, None)


def line(value):
    print(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def chosen(name, count):
    """All texts, or for the committed file some short ones, others in each case."""
    if count:
        return texts(count)
    short = [t for t in texts(330) if 0 < len(t) <= 60]
    return ["I'M  the policy's CLAIM, café\u0301 <x> is  42!\n"] + random.Random(name).sample(short, 11)


if __name__ == "__main__":
    for name, model in MODELS.items():
        line({"model": name, "json": json.loads(Tokenizer(model).to_str())["model"]})
    for name, model, normalizer, pre, decoder, added, post in cases():
        t = Tokenizer(MODELS[model])
        for part, step in (("normalizer", normalizer), ("pre_tokenizer", pre), ("decoder", decoder), ("post_processor", post)):
            if step is not None:
                setattr(t, part, step)
        for token in added:
            (t.add_special_tokens if token.special else t.add_tokens)([token])
        rest = json.loads(t.to_str())
        del rest["model"]
        line({"case": name, "model": model, "json": rest})
        for text in chosen(name, int(sys.argv[1]) if len(sys.argv) > 1 else 0):
            ids = t.encode(text).ids
            row = {"text": text, "ids": ids}
            if decoder is not None:
                row["back"] = t.decode(ids)
            line(row)
