/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grammar of TOML 1.0 by recursive descent: tables, dotted keys and arrays of tables here, values in
 * toml_value.c. Nothing is interpreted; limits: nesting of values at most JR_TOML_DEPTH.
 */
#include "base/toml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/toml_parser.h"

enum {                     /* jr_toml.made_by: what may still be added to a table */
       MADE_BY_PATH = 0,   /* [a.b] made a on the way: a header may still define it */
       MADE_BY_HEADER = 1, /* its own [header] */
       MADE_BY_DOTS = 2,   /* a.b = 1 made a: no header may reopen it */
       MADE_INLINE = 3,    /* { }: closed */
};

bool jr_toml_fail(struct jr_toml_parser *p, const char *fmt, ...)
{
    if (p->err->text[0])
        return false; /* the first error is the cause */
    p->err->line = p->line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->err->text, sizeof p->err->text, fmt, ap);
    va_end(ap);
    return false;
}

void jr_toml_free(struct jr_toml *node)
{
    while (node) {
        struct jr_toml *next = node->next;
        jr_toml_free(node->child);
        if (node->type == JR_TOML_STRING)
            free(node->str.s);
        free(node->key);
        free(node);
        node = next;
    }
}

const struct jr_toml *jr_toml_get(const struct jr_toml *table, const char *key)
{
    if (!table || table->type != JR_TOML_TABLE)
        return NULL;
    for (const struct jr_toml *n = table->child; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

const char *jr_toml_type_name(enum jr_toml_type type)
{
    static const char *const names[] = {"a table", "an array", "a string", "an integer", "a float", "true or false"};
    return names[type];
}

struct jr_toml *jr_toml_node_new(struct jr_toml_parser *p, enum jr_toml_type type)
{
    struct jr_toml *n = calloc(1, sizeof *n);
    if (!n) {
        jr_toml_fail(p, "out of memory");
        return NULL;
    }
    n->type = type;
    n->line = p->line;
    return n;
}

void jr_toml_node_append(struct jr_toml *parent, struct jr_toml *n)
{
    if (parent->last)
        parent->last->next = n;
    else
        parent->child = n;
    parent->last = n;
}

static bool is_bare(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One simple key: bare or quoted. The caller frees *key. */
static bool parse_simple_key(struct jr_toml_parser *p, char **key)
{
    size_t len;
    if (*p->at == '"' || *p->at == '\'') {
        if (!jr_toml_parse_string(p, false, key, &len))
            return false;
        if (strlen(*key) == len)
            return true;
        free(*key);
        return jr_toml_fail(p, "a key holds a NUL");
    }
    const char *start = p->at;
    while (is_bare(*p->at))
        p->at++;
    if (p->at == start)
        return jr_toml_fail(p, "expected a key");
    *key = strndup(start, (size_t)(p->at - start));
    return *key || jr_toml_fail(p, "out of memory");
}

/* The table that key names inside t for a path of dots or headers, made when it isn't there. */
static struct jr_toml *step_into(struct jr_toml_parser *p, struct jr_toml *t, char *key, bool dots)
{
    struct jr_toml *n = (struct jr_toml *)jr_toml_get(t, key);
    if (!n) {
        n = jr_toml_node_new(p, JR_TOML_TABLE);
        if (!n) {
            free(key);
            return NULL;
        }
        n->key = key;
        n->made_by = dots ? MADE_BY_DOTS : MADE_BY_PATH;
        jr_toml_node_append(t, n);
        return n;
    }
    bool is_aot = n->type == JR_TOML_ARRAY && n->made_by == MADE_BY_HEADER;
    if (!dots && is_aot)
        n = n->last;
    if (n->type != JR_TOML_TABLE || n->made_by == MADE_INLINE || (dots && n->made_by != MADE_BY_DOTS))
        n = (jr_toml_fail(p, "'%s' was defined before and can't be extended here", key), NULL);
    free(key);
    return n;
}

/* A dotted key: walks all but the last part from *t, and leaves the last part in *key (the caller's to free). */
static bool parse_key_path(struct jr_toml_parser *p, struct jr_toml **t, char **key, bool dots)
{
    for (;;) {
        if (!parse_simple_key(p, key))
            return false;
        jr_toml_skip_blank(p);
        if (*p->at != '.')
            return true;
        p->at++;
        jr_toml_skip_blank(p);
        *t = step_into(p, *t, *key, dots);
        if (!*t)
            return false;
    }
}

bool jr_toml_parse_pair(struct jr_toml_parser *p, struct jr_toml *table)
{
    char *key;
    if (!parse_key_path(p, &table, &key, true))
        return false;
    if (jr_toml_get(table, key)) {
        jr_toml_fail(p, "'%s' is defined twice", key);
        free(key);
        return false;
    }
    if (*p->at != '=') {
        jr_toml_fail(p, "expected '=' after '%s'", key);
        free(key);
        return false;
    }
    p->at++;
    jr_toml_skip_blank(p);
    struct jr_toml *v = jr_toml_parse_value(p);
    if (!v) {
        free(key);
        return false;
    }
    if (v->type == JR_TOML_TABLE)
        v->made_by = MADE_INLINE;
    v->key = key;
    jr_toml_node_append(table, v);
    return true;
}

/* [[a.b]]: a new element of the array of tables; takes key. */
static struct jr_toml *open_array_element(struct jr_toml_parser *p, struct jr_toml *t, char *key)
{
    struct jr_toml *arr = (struct jr_toml *)jr_toml_get(t, key);
    if (arr && (arr->type != JR_TOML_ARRAY || arr->made_by != MADE_BY_HEADER)) {
        jr_toml_fail(p, "'%s' was defined before and is no array of tables", key);
        free(key);
        return NULL;
    }
    if (arr) {
        free(key);
    } else {
        arr = jr_toml_node_new(p, JR_TOML_ARRAY);
        if (!arr) {
            free(key);
            return NULL;
        }
        arr->key = key;
        arr->made_by = MADE_BY_HEADER;
        jr_toml_node_append(t, arr);
    }
    struct jr_toml *n = jr_toml_node_new(p, JR_TOML_TABLE);
    if (n) {
        n->made_by = MADE_BY_HEADER;
        jr_toml_node_append(arr, n);
    }
    return n;
}

/* [a.b]: the table, which no header may have defined before; takes key. */
static struct jr_toml *open_table(struct jr_toml_parser *p, struct jr_toml *t, char *key)
{
    struct jr_toml *n = (struct jr_toml *)jr_toml_get(t, key);
    if (n && (n->type != JR_TOML_TABLE || n->made_by != MADE_BY_PATH)) {
        jr_toml_fail(p, "'%s' is defined twice", key);
        free(key);
        return NULL;
    }
    if (n) {
        free(key);
        n->line = p->line;
    } else {
        n = jr_toml_node_new(p, JR_TOML_TABLE);
        if (!n) {
            free(key);
            return NULL;
        }
        n->key = key;
        jr_toml_node_append(t, n);
    }
    n->made_by = MADE_BY_HEADER;
    return n;
}

static struct jr_toml *parse_header(struct jr_toml_parser *p, struct jr_toml *root)
{
    bool is_array = p->at[1] == '[';
    p->at += is_array ? 2 : 1;
    jr_toml_skip_blank(p);
    struct jr_toml *t = root;
    char *key;
    if (!parse_key_path(p, &t, &key, false))
        return NULL;
    if (*p->at != ']' || (is_array && p->at[1] != ']')) {
        jr_toml_fail(p, "expected '%s' after '%s'", is_array ? "]]" : "]", key);
        free(key);
        return NULL;
    }
    p->at += is_array ? 2 : 1;
    return is_array ? open_array_element(p, t, key) : open_table(p, t, key);
}

bool jr_toml_skip_comment(struct jr_toml_parser *p)
{
    if (*p->at != '#')
        return true;
    for (; *p->at && *p->at != '\n'; p->at++) {
        unsigned char c = (unsigned char)*p->at;
        if ((c < 0x20 && c != '\t' && !(c == '\r' && p->at[1] == '\n')) || c == 0x7f)
            return jr_toml_fail(p, "a comment holds the control character 0x%02x", c);
    }
    return true;
}

/* The rest of a line after a pair or a header. */
static bool parse_line_end(struct jr_toml_parser *p)
{
    jr_toml_skip_blank(p);
    if (!jr_toml_skip_comment(p))
        return false;
    if (*p->at == '\r' && p->at[1] == '\n')
        p->at++;
    if (*p->at == '\n') {
        p->at++;
        p->line++;
        return true;
    }
    if (p->at == p->end)
        return true;
    return jr_toml_fail(p, "expected the end of the line, not '%.1s'", p->at);
}

static bool parse_document(struct jr_toml_parser *p, struct jr_toml *root)
{
    struct jr_toml *table = root;
    while (p->at < p->end) {
        jr_toml_skip_blank(p);
        bool is_pair = *p->at && !strchr("[#\r\n", *p->at);
        if (*p->at == '[') {
            table = parse_header(p, root);
            if (!table)
                return false;
        } else if (is_pair && !jr_toml_parse_pair(p, table)) {
            return false;
        }
        if (!parse_line_end(p))
            return false;
    }
    return true;
}

struct jr_toml *jr_toml_parse(const char *text, size_t len, struct jr_toml_error *err)
{
    struct jr_toml_parser p = {.line = 1, .err = err};
    *err = (struct jr_toml_error){0};
    char *copy = malloc(len + 4); /* NULs behind the end, so that looking ahead never leaves the text */
    if (!copy) {
        jr_toml_fail(&p, "out of memory");
        return NULL;
    }
    memcpy(copy, text, len);
    memset(copy + len, 0, 4);
    p.at = copy;
    p.end = copy + len;
    if (len >= 3 && memcmp(copy, "\xef\xbb\xbf", 3) == 0)
        p.at += 3;
    struct jr_toml *root = jr_toml_node_new(&p, JR_TOML_TABLE);
    if (root && !parse_document(&p, root)) {
        jr_toml_free(root);
        root = NULL;
    }
    free(copy);
    return root;
}
