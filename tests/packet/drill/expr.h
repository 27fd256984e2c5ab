/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments and results of system calls as written: numbers, constants, lists, structures. */
#ifndef DRILL_EXPR_H
#define DRILL_EXPR_H

#include "text.h"

enum expr_kind { EXPR_ANY, EXPR_INT, EXPR_STRING, EXPR_WORD, EXPR_LIST, EXPR_STRUCT, EXPR_CALL, EXPR_OR };

struct expr {
    enum expr_kind kind;
    int line;
    int64_t num;        /* INT */
    const char *str;    /* STRING, WORD, CALL's function */
    const char *field;  /* the name in a structure: name = value; NULL: none */
    struct expr *first; /* LIST, STRUCT, CALL: elements; OR: both sides */
    struct expr *next;  /* the next element */
};

struct expr *expr_parse(struct text *t);
/* The number it stands for; a name that isn't a constant ends the program. */
int64_t expr_int(const char *file, const struct expr *e);
/* The element of a structure with this name; NULL: none. */
const struct expr *expr_field(const struct expr *e, const char *name);
unsigned expr_count(const struct expr *e);

/* symbol.c: the constants of Linux' and FreeBSD's headers, with Linux' values. */
bool symbol_value(const char *name, int64_t *value);
const char *symbol_errno(int err);

#endif
