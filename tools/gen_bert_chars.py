#!/usr/bin/env python3
"""Writes src/token/token_bert_chars.c: characters that Hugging Face's BERT tables class otherwise than
Unicode 15 does (they follow Unicode 8). Asks the tokenizers package about every code point.

  python tools/gen_bert_chars.py > src/token/token_bert_chars.c     (needs tokenizers, Python 3.11)

BertNormalizer and BertPreTokenizer are asked what becomes of "a?b": dropped, set apart, or a letter;
what utf8proc's categories say is the other side. Characters that decompose are left to their parts.
"""
import ctypes
import unicodedata

from tokenizers import normalizers, pre_tokenizers

normalize = normalizers.BertNormalizer(lowercase=True).normalize_str
cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
utf8proc = ctypes.CDLL("libutf8proc.so.2")
utf8proc.utf8proc_category_string.restype = ctypes.c_char_p


def theirs(c):
    text = normalize("a" + chr(c) + "b")
    if text == "ab":
        return "DROPPED"
    return "APART" if len(cut(text)) > 1 else "LETTER"


def ours(c):
    category = utf8proc.utf8proc_category_string(c).decode()
    if category in ("Mn", "Cc", "Cf", "Cs", "Co"):
        return "DROPPED"
    return "APART" if category[0] == "P" else "LETTER"


def ranges():
    out = []
    same = True  # every character since the last range is a letter to them too
    for c in range(0x80, 0x110000):
        if 0xD800 <= c < 0xE000 or 0x3400 <= c < 0xA000 or 0xF900 <= c < 0xFB00:
            same = False
            continue
        is_ours, is_theirs = ours(c), theirs(c)
        if chr(c).isspace() or 0x20000 <= c < 0x2FA20 or unicodedata.normalize("NFD", chr(c)) != chr(c):
            same = False
        elif is_theirs == is_ours or c == 0xFFFD:
            same = same and is_theirs == "LETTER"
        else:
            joins = out and out[-1][2] == is_theirs
            if joins and (same and is_theirs == "LETTER" or out[-1][1] == c - 1):
                out[-1][1] = c
            else:
                out.append([c, c, is_theirs])
            same = True
    return out


print("""/* token_bert_chars.c - made by tools/gen_bert_chars.py; see token_bert_chars.h. */
#include "token/token_bert_chars.h"

const token_bert_range token_bert_ranges[] = {""")
rows = ranges()
for first, last, kind in rows:
    print("    {0x%X, 0x%X, BERT_%s}," % (first, last, kind))
print("};\nconst size_t token_bert_range_count = %d;" % len(rows))
