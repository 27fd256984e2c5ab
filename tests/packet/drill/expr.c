/* SPDX-License-Identifier: BSD-3-Clause */
#include "expr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static struct expr *expr_new(struct text *t, enum expr_kind kind)
{
    struct expr *e = drill_alloc(sizeof *e);

    e->kind = kind;
    e->line = text_line(t);
    return e;
}

/* name = value, name(...) = value or just value; what a message header has in the brackets is for sizes and ignored. */
static struct expr *parse_element(struct text *t)
{
    const char *const back = t->p;
    char *name = text_word(t);

    if (name && !isdigit((unsigned char)*name)) {
        if (text_take(t, "(")) {
            const char *end = strchr(t->p, ')');
            if (end) {
                t->p = end + 1;
                if (text_peek(t) != '=')
                    name = NULL;
            }
        }
        if (name && text_take(t, "=")) {
            struct expr *e = expr_parse(t);
            e->field = name;
            return e;
        }
    }
    t->p = back;
    return expr_parse(t);
}

static void parse_elements(struct text *t, struct expr *to, const char *close)
{
    struct expr **end = &to->first;

    while (!text_take(t, close)) {
        if (to->first && !text_take(t, ","))
            text_fail(t, "expected ',' or '%s' before '%.20s'", close, t->p);
        *end = parse_element(t);
        end = &(*end)->next;
    }
}

static struct expr *parse_term(struct text *t)
{
    const char c = text_peek(t);
    struct expr *e;

    if (text_ellipsis(t))
        return expr_new(t, EXPR_ANY);
    e = expr_new(t, EXPR_INT);
    if (c == '"') {
        e->kind = EXPR_STRING;
        e->str = text_quoted(t, '"');
    } else if (text_take(t, "[")) {
        e->kind = EXPR_LIST;
        parse_elements(t, e, "]");
    } else if (text_take(t, "{")) {
        e->kind = EXPR_STRUCT;
        parse_elements(t, e, "}");
    } else if (isdigit((unsigned char)c) || c == '-') {
        e->num = text_int(t, "argument");
    } else if ((e->str = text_word(t))) {
        e->kind = EXPR_WORD;
        if (text_take(t, "(")) {
            e->kind = EXPR_CALL;
            parse_elements(t, e, ")");
        }
    } else {
        text_fail(t, "expected a value before '%.20s'", t->p);
    }
    return e;
}

struct expr *expr_parse(struct text *t)
{
    struct expr *e = parse_term(t);

    while (text_take(t, "|")) {
        struct expr *both = expr_new(t, EXPR_OR);
        both->first = e;
        e->next = parse_term(t);
        e = both;
    }
    return e;
}

static int64_t call_value(const char *file, const struct expr *e)
{
    const struct expr *arg = e->first;
    struct in_addr a;

    if (!arg)
        drill_bad_script(file, e->line, "%s() needs an argument", e->str);
    if (strcmp(e->str, "htons") == 0)
        return htons((uint16_t)expr_int(file, arg));
    if (strcmp(e->str, "htonl") == 0)
        return htonl((uint32_t)expr_int(file, arg));
    if (strcmp(e->str, "inet_addr") == 0 && arg->kind == EXPR_STRING && inet_pton(AF_INET, arg->str, &a) == 1)
        return a.s_addr;
    drill_bad_script(file, e->line, "%s() of that is no number", e->str);
}

int64_t expr_int(const char *file, const struct expr *e)
{
    int64_t v;

    switch (e->kind) {
    case EXPR_INT:
        return e->num;
    case EXPR_WORD:
        if (!symbol_value(e->str, &v))
            drill_bad_script(file, e->line, "%s is no constant this program knows", e->str);
        return v;
    case EXPR_OR:
        return expr_int(file, e->first) | expr_int(file, e->first->next);
    case EXPR_CALL:
        return call_value(file, e);
    case EXPR_LIST:
        if (e->first && !e->first->next)
            return expr_int(file, e->first);
        /* fallthrough */
    default:
        drill_bad_script(file, e->line, "expected a number here");
    }
}

const struct expr *expr_field(const struct expr *e, const char *name)
{
    const struct expr *f = e->kind == EXPR_STRUCT ? e->first : NULL;

    while (f && (!f->field || strcmp(f->field, name) != 0))
        f = f->next;
    return f;
}

unsigned expr_count(const struct expr *e)
{
    unsigned n = 0;

    for (const struct expr *f = e->first; f; f = f->next)
        n++;
    return n;
}
