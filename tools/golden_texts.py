"""Odd texts for the tokenizers' golden files: the same list in every run (a fixed seed)."""
import random

WRITTEN = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n ", "\t\t x", "Hello", " Hello", "Hello  world", "a   b    c     d",
    "Hello, world! How's it going? I'll say: we've been there, they'd know, he's 'Tis.",
    "I'M SHOUTING, YOU'RE NOT, WE'LL SEE, IT'D BE 'S", "don’t “quote” me – ever…", "'s't're've'm'll'd", "''''", "x'sy 'S 'T",
    "1234567890", "3.14159", "1,000,000.00 EUR", "v1.2.3-rc4", "٣٤٥ 六七八 Ⅷ ½ ² ①", "0x1F 1e-9 12:34:56 2026-11-23", "a1b22c333d4444", "7 8  9\n10",
    "def f(x):\n    return x ** 2  # squares\n\n\nif __name__ == '__main__':\n\tprint(f(3))\n",
    "for (int i = 0; i < n; i++) { sum += a[i]; }", "SELECT * FROM claims WHERE id=42 AND name LIKE '%O''Brien%';",
    "<html><body class=\"x\">&amp;&nbsp;</body></html>", '{"a": [1, 2.5, null, true], "b": {"c": "\\u00e9"}}', "C:\\Users\\me\\file.txt /usr/bin/env",
    "https://example.com/a/b?q=1&r=%20#frag", "someone+tag@mail.example.co.uk", "$x = @{ y => 'z' } | %{ $_ } # ~~~ ^^^ ``` ===>",
    "été naïve façade Ångström œuvre ÆØÅ ßẞ İı", "e\u0301te\u0301 n\u0303 a\u030a o\u0308 \u0344", "Zürich Łódź Dvořák Škoda", "ﬁne ﬂow ﬀ", "Ω Å K ℃ ™ ①",
    "Привет, как дела? Ёлка", "Καλημέρα κόσμε ΣΊΣΥΦΟΣ", "שלום עולם", "مرحبا بالعالم ـــ", "नमस्ते दुनिया क्ष", "สวัสดีชาวโลก", "ខ្មែរ", "བོད་སྐད", "አማርኛ", "ქართული ᲥᲐᲠᲗᲣᲚᲘ",
    "你好，世界！这是一个测试。", "こんにちは、世界。カタカナ", "안녕하세요 세계 각 각", "中文English混合123テスト", "龜 龜 㐀 𠀀 𫝀 𫠠 豈", "、。〈〉「」・ー〜",
    "😀😁😂 🤗", "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ❤️ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🥲🫠🫨🪿", "☃ ♥ → ∑ ∞ ≠ ≤", "─│┌┐ ▁▂▃ █",
    "\x00", "a\x00b", "\x01\x02\x03\x04\x05\x06\x07\x08", "!\x04!", "a\x13b \x14 c", "\x7f\x80\x85\x9f", "\x1b[31mred\x1b[0m", "\x0b\x0c\x1c\x1d\x1e\x1f",
    "\u00a0nbsp\u00a0\u00a0x", "\u2000\u2001\u2002\u2003x", "\u2028\u2029line", "\u3000全角\u3000", "\u200b\u200c\u200d\ufeff\u2060", "soft\u00adhyphen", "\u202eevil\u202c",
    "\ufffd", "\ufffe\uffff", "\U0010ffff \U000f0000 \ue000", "\U00040000 \U00050001", "\u0378 \u0530", "\u1680 ogham", "\u180e",
    "<|im_start|>user\nhi<|im_end|>", "<|endoftext|>", "[CLS] [SEP] [MASK] [PAD] [UNK]", "<repo_name>x<file_sep>", "<|im_start", "|im_end|>", "[ CLS ]",
    "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "ab" * 60, "=" * 80, "-" * 33, "." * 200, " " * 65, "\n" * 17, "\t" * 9, "0" * 50, "!?" * 30, "哈" * 40,
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "Donaudampfschifffahrtsgesellschaftskapitän",
    "My claim no. AB-12345/2026 was denied; why?? I'm SO angry!!!", "pls hlp me wiht teh recipt...", "ihre versicherung zahlt nicht, warum?", "¿Dónde está mi póliza? ¡Ayuda!",
    "trailing spaces   ", "   leading", "tab\tbetween\ttabs", "mixed \t \n \t whitespace \r\n\r\n end", "line1\nline2\r\nline3\rline4", "x\n\n\ny\n \nz", " \u00a0 \t", "a \n", "a\n ", "\n a",
]

BLOCKS = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x30, 0x39), (0x00, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF),
          (0xE00, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x27BF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF),
          (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
WORDS = "the insurance claim policy was is not and of water damage car stolen bike refund cancel invoice I'm can't they're 24 7 2026 OK VIP".split()


def texts(count):
    """The written ones, then random ones up to count."""
    rng = random.Random(20261123)
    out = list(WRITTEN)
    while len(out) < count:
        kind = rng.random()
        if kind < 0.3:  # words with odd blanks and marks between them
            out.append("".join(rng.choice(WORDS) + rng.choice([" ", " ", "  ", "\n", ", ", ".", "!\n\n", "-", "\t", "'", "’"]) for _ in range(rng.randint(1, 15))))
        elif kind < 0.6:  # one block of Unicode and ASCII
            low, high = rng.choice(BLOCKS)
            out.append("".join(chr(rng.randint(low, high)) if rng.random() < 0.7 else rng.choice(" \n\tab1.,'") for _ in range(rng.randint(1, 25))))
        else:  # everything at once
            out.append("".join(chr(rng.randint(*rng.choice(BLOCKS))) for _ in range(rng.randint(1, 25))))
    return out
