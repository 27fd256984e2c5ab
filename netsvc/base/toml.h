/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads TOML 1.0 (https://toml.io/en/v1.0.0) into a tree that remembers lines, so that whoever interprets it can
 * point at the culprit. Dates and times are refused: no configuration key holds one.
 */
#ifndef JR_BASE_TOML_H
#define JR_BASE_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jr_toml_type { JR_TOML_TABLE, JR_TOML_ARRAY, JR_TOML_STRING, JR_TOML_INT, JR_TOML_FLOAT, JR_TOML_BOOL };

struct jr_toml {
    enum jr_toml_type type;
    unsigned line;         /* 1-based, where the value or the table's header stands */
    char *key;             /* NULL for an array's element and the root */
    struct jr_toml *next;  /* among its siblings, in the order written */
    struct jr_toml *child; /* of a table or an array */
    struct jr_toml *last;  /* child: for appending */
    uint8_t made_by;       /* the parser's own: how the table came to be */
    union {
        struct {
            char *s;    /* UTF-8 with a NUL behind it */
            size_t len; /* may hold NULs: a string with one is longer than strlen says */
        } str;
        int64_t i;
        double f;
        bool b;
    };
};

struct jr_toml_error {
    unsigned line;
    char text[160];
};

/* The root table, or NULL with err filled. */
struct jr_toml *jr_toml_parse(const char *text, size_t len, struct jr_toml_error *err);
void jr_toml_free(struct jr_toml *node);
/* A table's child by name; NULL when there is none or table is NULL or no table. */
const struct jr_toml *jr_toml_get(const struct jr_toml *table, const char *key);
/* "a table", "a string" and so on, for messages. */
const char *jr_toml_type_name(enum jr_toml_type type);

#endif
