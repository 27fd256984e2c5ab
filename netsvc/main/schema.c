/* SPDX-License-Identifier: BSD-3-Clause */
/* The generic half of reading the configuration. Keys are reported by their full dotted name. */
#include "main/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { NAME_MAX_BYTES = 160 };

void jr_schema_error(struct jr_schema_ctx *ctx, const struct jr_toml *at, const char *where, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    jr_log(JR_LOG_ERROR, "%s:%u: %s: %s", ctx->file, at->line, where, text);
    ctx->errors++;
}

bool jr_schema_expect(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, enum jr_toml_type type)
{
    if (v->type == type)
        return true;
    jr_schema_error(ctx, v, where, "must be %s, not %s", jr_toml_type_name(type), jr_toml_type_name(v->type));
    return false;
}

/* Levenshtein's distance, with what is longer than the row counted as far away. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);
    if (n >= 64)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; *a; a++, i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned up = row[j], best = diagonal + (*a != b[j - 1]);
            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[n];
}

void jr_suggestion_add(struct jr_suggestion *s, const char *typed, const char *name)
{
    unsigned d = distance(typed, name);
    if (d < s->far) {
        s->far = d;
        s->best = name;
    }
}

const char *jr_suggestion_phrase(const struct jr_suggestion *s, const char *typed, char *out, size_t n)
{
    size_t len = strlen(typed);
    out[0] = 0;
    if (s->best && s->far <= (len < 4 ? 1 : len < 8 ? 2 : 3))
        snprintf(out, n, "; did you mean '%s'?", s->best);
    return out;
}

int jr_schema_choice(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, const char *const *names,
                     size_t n)
{
    struct jr_suggestion s = JR_SUGGESTION_NONE;
    char hint[96], all[160] = "";
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v->str.s, names[i]) == 0)
            return (int)i;
        jr_suggestion_add(&s, v->str.s, names[i]);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", names[i]);
    }
    jr_suggestion_phrase(&s, v->str.s, hint, sizeof hint);
    jr_schema_error(ctx, v, where, "'%.60s' is none of %s%s", v->str.s, all, hint);
    return -1;
}

static bool int_in_range(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                         const struct jr_schema_key *k, int64_t *out)
{
    if (k->type == JR_KEY_FLAG && v->type == JR_TOML_BOOL) {
        *out = v->b;
        return true;
    }
    if (!jr_schema_expect(ctx, v, where, JR_TOML_INT))
        return false;
    int64_t min = k->type == JR_KEY_FLAG ? 0 : k->min, max = k->type == JR_KEY_FLAG ? 1 : k->max;
    if (v->i < min || v->i > max) {
        jr_schema_error(ctx, v, where, "%lld is not between %lld and %lld", (long long)v->i, (long long)min,
                        (long long)max);
        return false;
    }
    if (k->type == JR_KEY_POW2 && (v->i & (v->i - 1))) {
        jr_schema_error(ctx, v, where, "%lld is no power of two", (long long)v->i);
        return false;
    }
    *out = v->i;
    return true;
}

static void bind_int(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                     const struct jr_schema_key *k, void *at)
{
    int64_t i;
    if (!int_in_range(ctx, v, where, k, &i))
        return;
    if (k->type == JR_KEY_U8)
        *(uint8_t *)at = (uint8_t)i;
    else if (k->type == JR_KEY_U16)
        *(uint16_t *)at = (uint16_t)i;
    else if (k->type == JR_KEY_U64)
        *(uint64_t *)at = (uint64_t)i;
    else
        *(uint32_t *)at = (uint32_t)i;
}

static void bind_real(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                      const struct jr_schema_key *k, double *at)
{
    if (v->type != JR_TOML_INT && !jr_schema_expect(ctx, v, where, JR_TOML_FLOAT))
        return;
    double d = v->type == JR_TOML_INT ? (double)v->i : v->f;
    if (!(d >= (double)k->min && d <= (double)k->max)) /* not a number is in no range */
        jr_schema_error(ctx, v, where, "%g is not between %lld and %lld", d, (long long)k->min, (long long)k->max);
    else
        *at = d;
}

static void bind_str(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                     const struct jr_schema_key *k, char *at)
{
    if (!jr_schema_expect(ctx, v, where, JR_TOML_STRING))
        return;
    if (!v->str.len || v->str.len != strlen(v->str.s))
        jr_schema_error(ctx, v, where, "must not be empty or hold a NUL");
    else if (v->str.len >= (size_t)k->max)
        jr_schema_error(ctx, v, where, "is longer than %lld bytes", (long long)k->max - 1);
    else
        memcpy(at, v->str.s, v->str.len + 1);
}

static void bind_value(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where,
                       const struct jr_schema_key *k, char *base)
{
    void *at = base + k->offset;
    switch (k->type) {
    case JR_KEY_BOOL:
        if (jr_schema_expect(ctx, v, where, JR_TOML_BOOL))
            *(bool *)at = v->b;
        break;
    case JR_KEY_REAL:
        bind_real(ctx, v, where, k, at);
        break;
    case JR_KEY_STR:
        bind_str(ctx, v, where, k, at);
        break;
    case JR_KEY_FN:
        k->parse(ctx, v, where, at);
        break;
    default:
        bind_int(ctx, v, where, k, at);
    }
}

/* Whether a key begins with name and a dot: then a table of that name holds the rest. */
static bool is_key_prefix(const struct jr_schema_key *keys, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (strncmp(keys[i].name, name, len) == 0 && keys[i].name[len] == '.')
            return true;
    return false;
}

static void bind_child(struct jr_schema_ctx *ctx, const struct jr_toml *v, const char *where, const char *prefix,
                       const struct jr_schema_key *keys, size_t n, void *base)
{
    char name[NAME_MAX_BYTES], full[NAME_MAX_BYTES], hint[96];
    struct jr_suggestion s = JR_SUGGESTION_NONE;
    snprintf(name, sizeof name, "%s%.60s", prefix, v->key);
    snprintf(full, sizeof full, "%.60s%s%.90s", where, *where ? "." : "", name);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            bind_value(ctx, v, full, &keys[i], base);
            return;
        }
        jr_suggestion_add(&s, name, keys[i].name);
    }
    if (v->type == JR_TOML_TABLE && is_key_prefix(keys, n, name)) {
        snprintf(hint, sizeof hint, "%.90s.", name);
        for (const struct jr_toml *c = v->child; c; c = c->next)
            bind_child(ctx, c, where, hint, keys, n, base);
        return;
    }
    jr_schema_error(ctx, v, full, "unknown key%s", jr_suggestion_phrase(&s, name, hint, sizeof hint));
}

void jr_schema_bind(struct jr_schema_ctx *ctx, const struct jr_toml *table, const char *where,
                    const struct jr_schema_key *keys, size_t n_keys, void *base)
{
    if (!table || !jr_schema_expect(ctx, table, where, JR_TOML_TABLE))
        return;
    for (const struct jr_toml *v = table->child; v; v = v->next)
        bind_child(ctx, v, where, "", keys, n_keys, base);
}
