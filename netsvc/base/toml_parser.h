/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two halves of the TOML reader share; nobody else includes this. */
#ifndef JR_BASE_TOML_PARSER_H
#define JR_BASE_TOML_PARSER_H

#include "base/toml.h"

#define JR_TOML_DEPTH 32

struct jr_toml_parser {
    const char *at, *end; /* *end is NUL */
    unsigned line;
    unsigned depth; /* of arrays and inline tables */
    struct jr_toml_error *err;
};

/* Records the first error; always false. */
bool jr_toml_fail(struct jr_toml_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct jr_toml *jr_toml_node_new(struct jr_toml_parser *p, enum jr_toml_type type);
void jr_toml_node_append(struct jr_toml *parent, struct jr_toml *n);

static inline void jr_toml_skip_blank(struct jr_toml_parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}
bool jr_toml_skip_comment(struct jr_toml_parser *p);
/* key = value, added to table. */
bool jr_toml_parse_pair(struct jr_toml_parser *p, struct jr_toml *table);
/* A value; NULL on error. */
struct jr_toml *jr_toml_parse_value(struct jr_toml_parser *p);
/* A quoted string of any kind; multi: the three-quote forms are allowed. The caller frees *s. */
bool jr_toml_parse_string(struct jr_toml_parser *p, bool multi, char **s, size_t *len);

#endif
