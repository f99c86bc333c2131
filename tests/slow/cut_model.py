"""A GGUF model with its first N layers alone: cut_model.py IN OUT N. Its answers mean nothing, it costs little: for
tests of what stands around a model. Standard library only."""
import struct
import sys

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
source, target, layers = open(sys.argv[1], "rb"), open(sys.argv[2], "wb"), int(sys.argv[3])


def take(form):
    return struct.unpack("<" + form, source.read(struct.calcsize("<" + form)))


def take_text():
    return source.read(take("Q")[0])


def skip(kind):
    if kind == 8:
        take_text()
    elif kind == 9:
        inner, n = take("IQ")
        if inner in SIZES:
            source.seek(n * SIZES[inner], 1)
        else:
            for _ in range(n):
                skip(inner)
    else:
        source.seek(SIZES[kind], 1)


magic, version, tensors_n, pairs_n = take("4sIQQ")
assert magic == b"GGUF" and version == 3, (magic, version)
pairs, align = [], 32
for _ in range(pairs_n):
    start = source.tell()
    key, (kind,) = take_text(), take("I")
    value_at = source.tell()
    skip(kind)
    end = source.tell()
    source.seek(start)
    whole = source.read(end - start)
    if key.endswith(b".block_count"):
        whole = whole[: value_at - start] + struct.pack("<I", layers)
    if key == b"general.alignment":
        (align,) = struct.unpack("<I", whole[-4:])
    pairs.append(whole)
tensors = []
for _ in range(tensors_n):
    name, (n,) = take_text(), take("I")
    tensors.append([name, take(f"{n}Q"), *take("IQ")])
data = (source.tell() + align - 1) // align * align
source.seek(0, 2)
ends = sorted(t[3] for t in tensors) + [source.tell() - data]
kept = [t for t in tensors if not t[0].startswith(b"blk.") or int(t[0].split(b".")[1]) < layers]
target.write(struct.pack("<4sIQQ", magic, version, len(kept), pairs_n) + b"".join(pairs))
offset, pieces = 0, []
for name, shape, kind, at in kept:
    bytes_n = ends[ends.index(at) + 1] - at
    target.write(struct.pack("<Q", len(name)) + name + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
    pieces.append((at, bytes_n))
    offset += (bytes_n + align - 1) // align * align
for at, bytes_n in pieces:
    target.write(b"\0" * (-target.tell() % align))
    source.seek(data + at)
    target.write(source.read(bytes_n))
