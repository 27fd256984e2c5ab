/* SPDX-License-Identifier: BSD-3-Clause */
/* Binds TOML tables to C structs by tables of keys; what is unknown, of the wrong type or out of range is reported. */
#ifndef JR_MAIN_SCHEMA_H
#define JR_MAIN_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/toml.h"

struct jr_schema_ctx {
    const char *file;
    unsigned errors;
    void *user; /* for parse functions */
};

enum jr_key_type {
    JR_KEY_BOOL,
    JR_KEY_U8,
    JR_KEY_U16,
    JR_KEY_U32,
    JR_KEY_U64,
    JR_KEY_FLAG, /* a uint32_t that is 0 or 1: true and false do too */
    JR_KEY_POW2, /* a uint32_t that is a power of two */
    JR_KEY_REAL, /* a double; min and max count too */
    JR_KEY_STR,  /* a char array of max bytes, not empty */
    JR_KEY_FN,
};

struct jr_schema_key {
    const char *name; /* "a.b" also matches b in the table a */
    enum jr_key_type type;
    size_t offset; /* in the struct */
    int64_t min, max;
    /* JR_KEY_FN: at points to the struct plus offset. Reports its own errors. */
    void (*parse)(struct jr_schema_ctx *ctx, const struct jr_toml *value, const char *where, void *at);
};

/* table: NULL or absent keys leave the struct as it is. where: the table's own name in messages. */
void jr_schema_bind(struct jr_schema_ctx *ctx, const struct jr_toml *table, const char *where,
                    const struct jr_schema_key *keys, size_t n_keys, void *base);
/* Reports a mistake in a value. */
void jr_schema_error(struct jr_schema_ctx *ctx, const struct jr_toml *at, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* False, and reported, when the value has another type. */
bool jr_schema_expect(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, enum jr_toml_type type);
/* The index of a string among n names; reported with a suggestion, and -1, when it is none of them. */
int jr_schema_choice(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, const char *const *names,
                     size_t n);

/* The known name that is nearest to a mistyped one. */
struct jr_suggestion {
    const char *best;
    unsigned far;
};
#define JR_SUGGESTION_NONE ((struct jr_suggestion){NULL, 99})
void jr_suggestion_add(struct jr_suggestion *s, const char *typed, const char *name);
/* "; did you mean 'x'?", or nothing when no name is near, in out of n bytes, which it returns. */
const char *jr_suggestion_phrase(const struct jr_suggestion *s, const char *typed, char *out, size_t n);

#endif
