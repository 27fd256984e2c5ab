/* SPDX-License-Identifier: BSD-3-Clause */
/* A script's text and the place in it that is being read. A syntax error ends the program: file:line: what is wrong. */
#ifndef DRILL_TEXT_H
#define DRILL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DRILL_EXIT_FAILED = 1, DRILL_EXIT_BAD_SCRIPT = 2 };

struct text {
    const char *file;
    const char *p;  /* the next character */
    const char *at; /* where line counting has got to */
    int line;
    bool v6; /* the script is about IPv6: ICMP means its ICMP */
};

/* Memory that lives as long as the program. */
void *drill_alloc(size_t n);
char *drill_strndup(const char *s, size_t n);

void text_init(struct text *t, const char *file, const char *content);
int text_line(struct text *t);
_Noreturn void text_fail(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for a line read before. */
_Noreturn void drill_bad_script(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* White space and comments. */
void text_skip(struct text *t);
/* The next character that is neither; it stays. */
char text_peek(struct text *t);
/* Takes this text if it comes next (a whole word, when it ends in a letter or digit). */
bool text_take(struct text *t, const char *what);
void text_need(struct text *t, const char *what);
bool text_next_is_digit(struct text *t);
/* A name: letters, digits, underscores; NULL: none comes. */
char *text_word(struct text *t);
/* Decimal or 0x, with a sign; fails otherwise. */
int64_t text_int(struct text *t, const char *what);
/* The same within bounds. */
int64_t text_int_in(struct text *t, const char *what, int64_t min, int64_t max);
/* Seconds as microseconds; a point counts only when a digit follows. */
int64_t text_seconds(struct text *t);
/* What is between a quote and the next one of its kind. */
char *text_quoted(struct text *t, char quote);
/* "..." */
bool text_ellipsis(struct text *t);
/* Bytes written as hexadecimal digits; returns how many. */
unsigned text_hex(struct text *t, uint8_t *to, unsigned max);

#endif
