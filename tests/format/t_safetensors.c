/* t_safetensors.c - tests format/safetensors.c on files built here and on MiniLM's, cut and
 * flipped.
 */
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "format/safetensors.h"
#include "test.h"

static void make(buf *b, const char *header, size_t data) {
    uint64_t n = strlen(header);
    buf_put_bytes(b, &n, sizeof n);
    buf_put_z(b, header);
    for (size_t i = 0; i < data; i++) buf_put_char(b, (char)i);
}

static err open_copy(str bytes, fail *f) {
    safetensors *s = NULL;
    char *copy = mem_alloc_aligned(bytes.n ? bytes.n : 1);
    memcpy(copy, bytes.p, bytes.n);
    err e = safetensors_open(&s, (str){copy, bytes.n}, "file", f);
    if (e == E_OK) safetensors_close(s);
    mem_free(copy);
    return e;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"

static void sound_file_reads(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    safetensors *s;
    const tensor *t;
    /* the header has an odd length and the second tensor begins on an odd byte: both are copied */
    make(&b,
         "{\"__metadata__\":{\"format\":\"pt\"}," A
         ",\"i\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[24,27]},"
         "\"h\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[27,29]},"
         "\"e\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[29,29]}}",
         29);
    assert_ok(safetensors_open(&s, buf_str(&b), "sound", &f), &f);
    assert_int_equal(safetensors_count(s), 4);
    assert_ok(safetensors_tensor(s, STR("a"), &t, &f), &f);
    assert_true(t->n_dims == 2 && t->dims[0] == 2 && t->dims[1] == 3 && t->bytes == 24);
    assert_int_equal((uintptr_t)t->data % TENSOR_DATA_ALIGN, 0);
    assert_int_equal(((const unsigned char *)t->data)[23], 23);
    assert_ok(safetensors_tensor(s, STR("h"), &t, &f), &f);
    assert_true(t->type == DTYPE_BF16 && t->n_dims == 1 && t->dims[0] == 1);
    assert_int_equal(((const unsigned char *)t->data)[0], 27);
    assert_int_equal(safetensors_tensor(s, STR("i"), &t, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "BOOL"));
    assert_int_equal(safetensors_tensor(s, STR("e"), &t, &f), E_UNSUPPORTED);
    assert_int_equal(safetensors_tensor(s, STR("x"), &t, &f), E_NOT_FOUND);
    safetensors_close(s);
    buf_deinit(&b);
}

static void lies_are_named(void **state) {
    (void)state;
#define T(dtype, shape, offsets) \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header;
        size_t data;
        err e;
    } lies[] = {
        {"{" A "}", 23, E_CORRUPT},                      /* cut */
        {"{" A "}", 25, E_CORRUPT},                      /* bytes behind */
        {"[]", 0, E_CORRUPT},                            /* no object */
        {"{\"a\":3}", 0, E_CORRUPT},                     /* no tensor */
        {"{\"a\":{}}", 0, E_CORRUPT},                    /* nothing said */
        {"{" A, 24, E_CORRUPT},                          /* no JSON */
        {T("\"F7\"", "[1]", "[0,4]"), 4, E_UNSUPPORTED}, /* unknown type */
        {T("7", "[1]", "[0,4]"), 4, E_CORRUPT},          /* type no text */
        {T("\"F32\"", "[1.5]", "[0,4]"), 4, E_CORRUPT},  /* broken dimension */
        {T("\"F32\"", "[-1]", "[0,4]"), 4, E_CORRUPT},   /* negative */
        {T("\"F32\"", "[2]", "[0,4]"), 4, E_CORRUPT},    /* shape and size differ */
        {T("\"F32\"", "[1]", "[4,0]"), 4, E_CORRUPT},    /* backwards */
        {T("\"F32\"", "[1]", "[4,8]"), 8, E_CORRUPT},    /* gap before */
        {T("\"F32\"", "[1]", "[0]"), 4, E_CORRUPT},      /* half an offset */
        {T("\"F32\"", "[1]", "[0,4,8]"), 4, E_CORRUPT},  /* one too many */
        {T("\"F32\"", "[4611686018427387904,4]", "[0,4]"), 4, E_CORRUPT}, /* overflow */
        {T("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, E_CORRUPT},   /* overflow in bytes */
        {T("\"F32\"", "[1]", "[0,99999999999999999999]"), 4, E_CORRUPT},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        buf b = {0};
        fail f = {0};
        make(&b, lies[i].header, lies[i].data);
        err e = open_copy(buf_str(&b), &f);
        if (e != lies[i].e) fail_msg("lie %zu gives %s: %s", i, err_name(e), f.text);
        assert_non_null(strstr(f.text, "\"file\""));
        buf_deinit(&b);
    }
}

static void header_length_lies(void **state) {
    (void)state;
    fail f;
    char bytes[64] = {0};
    for (int shift = 0; shift < 64; shift++) {
        uint64_t n = 1ull << shift;
        memcpy(bytes, &n, sizeof n);
        assert_int_equal(open_copy((str){bytes, sizeof bytes}, &f), E_CORRUPT);
    }
    for (size_t n = 0; n < 8; n++) assert_int_equal(open_copy((str){bytes, n}, &f), E_CORRUPT);
}

static void allocations_fail_one_by_one(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    make(&b, "{" A "}", 24);
    err e = E_NO_MEMORY;
    for (int64_t n = 2; e == E_NO_MEMORY && n < 100; n++) {
        mem_fail_at(n, false);
        e = open_copy(buf_str(&b), &f);
        mem_fail_at(0, false);
    }
    assert_int_equal(e, E_OK);
    buf_deinit(&b);
}

static void real_file_cut_and_flipped(void **state) {
    (void)state;
    enum { FLIPS = 400 };
    file_map m;
    fail f;
    rand_stream r;
    safetensors *s;
    uint64_t header;
    assert_ok(file_map_open(&m, test_model("minilm/model.safetensors"), &f), &f);
    memcpy(&header, m.p, sizeof header);
    size_t head = 8 + (size_t)header;
    for (size_t n = 0; n < head; n += n < 64 ? 1 : 97)
        assert_int_equal(open_copy((str){(const char *)m.p, n}, &f), E_CORRUPT);
    assert_int_equal(safetensors_open(&s, (str){(const char *)m.p, m.n - 1}, "cut", &f), E_CORRUPT);
    char *copy = mem_alloc_aligned(m.n);
    memcpy(copy, m.p, m.n);
    r = (rand_stream){.seed = 11};
    for (int i = 0; i < FLIPS; i++) {
        size_t at = (size_t)(rand_next(&r) % head);
        char was = copy[at];
        copy[at] = (char)(was ^ 1 << rand_next(&r) % 8);
        err e = safetensors_open(&s, (str){copy, m.n}, "flipped", &f);
        assert_true(e == E_OK || e == E_CORRUPT || e == E_UNSUPPORTED);
        if (e == E_OK) safetensors_close(s);
        copy[at] = was;
    }
    mem_free(copy);
    file_map_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_file_reads),          cmocka_unit_test(lies_are_named),
        cmocka_unit_test(header_length_lies),        cmocka_unit_test(allocations_fail_one_by_one),
        cmocka_unit_test(real_file_cut_and_flipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
