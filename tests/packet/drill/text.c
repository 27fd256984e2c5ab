/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    max_align_t data[];
};
static struct block *blocks; /* keeps all of them reachable */

void *drill_alloc(size_t n)
{
    struct block *b = calloc(1, sizeof *b + n);

    if (!b)
        abort();
    b->next = blocks;
    blocks = b;
    return b->data;
}

char *drill_strndup(const char *s, size_t n)
{
    char *copy = drill_alloc(n + 1);

    memcpy(copy, s, n);
    return copy;
}

void text_init(struct text *t, const char *file, const char *content)
{
    *t = (struct text){.file = file, .p = content, .at = content, .line = 1};
}

int text_line(struct text *t)
{
    for (; t->at < t->p; t->at++)
        t->line += *t->at == '\n';
    return t->line;
}

static _Noreturn void bad(const char *file, int line, const char *fmt, va_list ap)
{
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    exit(DRILL_EXIT_BAD_SCRIPT);
}

void drill_bad_script(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bad(file, line, fmt, ap);
}

void text_fail(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bad(t->file, text_line(t), fmt, ap);
}

void text_skip(struct text *t)
{
    for (;;) {
        if (isspace((unsigned char)*t->p)) {
            t->p++;
        } else if (t->p[0] == '#' || (t->p[0] == '/' && t->p[1] == '/')) {
            t->p += strcspn(t->p, "\n");
        } else if (t->p[0] == '/' && t->p[1] == '*') {
            const char *end = strstr(t->p + 2, "*/");
            if (!end)
                text_fail(t, "the comment has no end");
            t->p = end + 2;
        } else {
            return;
        }
    }
}

char text_peek(struct text *t)
{
    text_skip(t);
    return *t->p;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

bool text_take(struct text *t, const char *what)
{
    const size_t n = strlen(what);

    text_skip(t);
    if (strncmp(t->p, what, n) != 0 || (is_word(what[n - 1]) && is_word(t->p[n])))
        return false;
    t->p += n;
    return true;
}

void text_need(struct text *t, const char *what)
{
    if (!text_take(t, what))
        text_fail(t, "expected '%s' before '%.20s'", what, t->p);
}

bool text_next_is_digit(struct text *t) { return isdigit((unsigned char)text_peek(t)); }

char *text_word(struct text *t)
{
    const char *from;

    text_skip(t);
    from = t->p;
    while (is_word(*t->p))
        t->p++;
    return t->p == from ? NULL : drill_strndup(from, (size_t)(t->p - from));
}

int64_t text_int(struct text *t, const char *what)
{
    char *end;
    int64_t v;

    text_skip(t);
    v = (int64_t)strtoull(t->p, &end, strncmp(t->p, "0x", 2) == 0 ? 16 : 10);
    if (end == t->p || *t->p == '+')
        text_fail(t, "expected a number (%s) before '%.20s'", what, t->p);
    t->p = end;
    return v;
}

int64_t text_int_in(struct text *t, const char *what, int64_t min, int64_t max)
{
    const int64_t v = text_int(t, what);

    if (v < min || v > max)
        text_fail(t, "%s %lld is not within %lld and %lld", what, (long long)v, (long long)min, (long long)max);
    return v;
}

int64_t text_seconds(struct text *t)
{
    int64_t us = 0, unit = 1000000;
    const char *from;

    text_skip(t);
    from = t->p;
    for (; isdigit((unsigned char)*t->p); t->p++)
        us = us * 10 + (*t->p - '0') * unit;
    if (t->p[0] == '.' && isdigit((unsigned char)t->p[1]))
        for (t->p++; isdigit((unsigned char)*t->p); t->p++)
            us += (*t->p - '0') * (unit /= 10);
    if (t->p == from)
        text_fail(t, "expected a time before '%.20s'", t->p);
    return us;
}

char *text_quoted(struct text *t, char quote)
{
    const char *from, *end;

    text_skip(t);
    if (*t->p != quote)
        text_fail(t, "expected %c before '%.20s'", quote, t->p);
    from = t->p + 1;
    end = strchr(from, quote);
    if (!end)
        text_fail(t, "nothing ends what %c began", quote);
    t->p = end + 1;
    return drill_strndup(from, (size_t)(end - from));
}

bool text_ellipsis(struct text *t) { return text_take(t, "..."); }

static int hex_digit(char c)
{
    if (!isxdigit((unsigned char)c))
        return -1;
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

unsigned text_hex(struct text *t, uint8_t *to, unsigned max)
{
    unsigned n = 0;

    text_skip(t);
    while (hex_digit(t->p[0]) >= 0 && hex_digit(t->p[1]) >= 0) {
        if (n == max)
            text_fail(t, "more than %u bytes", max);
        to[n++] = (uint8_t)(hex_digit(t->p[0]) << 4 | hex_digit(t->p[1]));
        t->p += 2;
    }
    if (is_word(*t->p))
        text_fail(t, "'%.20s' is not a row of bytes", t->p);
    return n;
}
