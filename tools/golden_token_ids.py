#!/usr/bin/env python3
"""Golden ids of published vocabularies by other people's tokenizers.

  python tools/golden_token_ids.py KIND FILE COUNT > golden.jsonl

KIND and FILE: json (a tokenizer.json; tokenizers), smollm (SmolLM2's GGUF; tokenizers), spm (a SentencePiece
tokenizer.model; sentencepiece), gguf (a GGUF of kind llama: Gemma's; sentencepiece, from a model put together here), unigram (the same of kind t5), unigram-json (the
same, by tokenizers; the tokenizer.json goes to COUNT's neighbour, the 4th argument). COUNT odd texts of golden_texts.py; special
tokens are text, no BOS, no EOS. One line a text: {"text": ..., "ids": [...]}.

Needs: pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf gguf.
"""
import json
import sys

from golden_texts import texts


def gguf_fields(path):
    from gguf import GGUFReader
    return GGUFReader(path).fields


def by_json(path):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(path)
    t.no_truncation()
    t.no_padding()
    t.encode_special_tokens = True
    return lambda text: t.encode(text, add_special_tokens=False).ids


def by_smollm(path):
    from golden_smollm2_tokens import build
    t = build(path)
    return lambda text: t.encode(text).ids


def by_spm(path):
    import sentencepiece
    return sentencepiece.SentencePieceProcessor(path).encode


def charsmap(fields):
    return bytes(b & 255 for b in fields["tokenizer.ggml.precompiled_charsmap"].contents())


def spm_model(fields, kind):
    """A sentencepiece model of what the GGUF says."""
    from sentencepiece import sentencepiece_model_pb2 as pb
    model = pb.ModelProto()
    rows = zip(*(fields["tokenizer.ggml." + name].contents() for name in ("tokens", "scores", "token_type")))
    for number, (piece, score, kind_of) in enumerate(rows):
        if kind_of == 4:  # GGUF writes user tokens with blanks
            piece = piece.replace(" ", "\u2581")
        # SentencePiece wants no name twice; those of the padding at the end are never in a text
        model.pieces.add(piece=piece if kind_of != 5 else f"unused {number}", score=score, type=kind_of)
    model.trainer_spec.model_type = kind
    for part in ("unk", "bos", "eos", "pad"):
        key = {"unk": "unknown", "pad": "padding"}.get(part, part)
        token = fields[f"tokenizer.ggml.{key}_token_id"].contents()
        setattr(model.trainer_spec, part + "_id", int(token))
        setattr(model.trainer_spec, part + "_piece", model.pieces[int(token)].piece)
    return model


def encoder(model):
    import sentencepiece
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString()).encode


def by_gguf(path):
    model = spm_model(gguf_fields(path), 2)
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = False
    model.normalizer_spec.remove_extra_whitespaces = False
    return encoder(model)


def by_unigram(path):
    fields = gguf_fields(path)
    model = spm_model(fields, 1)
    model.normalizer_spec.precompiled_charsmap = charsmap(fields)
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    return encoder(model)


def by_unigram_json(path):
    """XLM-RoBERTa's tokenizer.json as published, on the vocabulary of the GGUF."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    fields = gguf_fields(path)
    pieces = fields["tokenizer.ggml.tokens"].contents()
    t = Tokenizer(models.Unigram(list(zip(pieces, fields["tokenizer.ggml.scores"].contents())), 3, False))
    t.normalizer = normalizers.Precompiled(charsmap(fields))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    t.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])
    t.save(sys.argv[4])
    t.encode_special_tokens = True
    return lambda text: t.encode(text, add_special_tokens=False).ids


KINDS = {"json": by_json, "smollm": by_smollm, "spm": by_spm, "gguf": by_gguf, "unigram": by_unigram, "unigram-json": by_unigram_json}
if __name__ == "__main__":
    encode = KINDS[sys.argv[1]](sys.argv[2])
    for text in texts(int(sys.argv[3])):
        if sys.argv[1] in ("spm", "gguf", "unigram") and "\0" in text:
            continue  # the Python binding ends a text there
        if sys.argv[1] == "gguf" and "\u2581" in text:
            continue  # U+2581 in a text is a blank to us and to llama.cpp
        if sys.argv[1] == "unigram" and len(set(text)) == 1 and len(text) > 20:
            continue  # equal ways to cut it: sentencepiece adds in float, the others in double
        print(json.dumps({"text": text, "ids": encode(text)}, separators=(",", ":")))
