/* SPDX-License-Identifier: BSD-3-Clause */
/* Text to knob and back. The table is generated: jr_sysctl.c. */
#include "sysctl/sysctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct jr_sysctl *jr_sysctl_find(const char *name)
{
    for (unsigned i = 0; i < jr_sysctl_count; i++)
        if (strcmp(jr_sysctls[i].name, name) == 0)
            return &jr_sysctls[i];
    return NULL;
}

static void *place(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s)
{
    return (char *)tree->at[s->stack] + s->offset;
}

static uint32_t number_of(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s)
{
    const void *at = place(tree, s);
    if (s->type == JR_SYSCTL_U8)
        return *(const uint8_t *)at;
    if (s->type == JR_SYSCTL_U16)
        return *(const uint16_t *)at;
    return *(const uint32_t *)at;
}

static void put_number(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, uint32_t v)
{
    void *at = place(tree, s);
    if (s->type == JR_SYSCTL_U8)
        *(uint8_t *)at = (uint8_t)v;
    else if (s->type == JR_SYSCTL_U16)
        *(uint16_t *)at = (uint16_t)v;
    else
        *(uint32_t *)at = v;
}

void jr_sysctl_get(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, char out[JR_SYSCTL_WORD_BYTES])
{
    if (s->type == JR_SYSCTL_KEY)
        snprintf(out, JR_SYSCTL_WORD_BYTES, "%s", ((const struct jr_sysctl_key *)place(tree, s))->serial ? "set" : "");
    else if (s->type == JR_SYSCTL_WORD)
        snprintf(out, JR_SYSCTL_WORD_BYTES, "%s", (const char *)place(tree, s));
    else
        snprintf(out, JR_SYSCTL_WORD_BYTES, "%" PRIu32, number_of(tree, s));
}

static int set_word(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text, char *why)
{
    char all[96] = "";
    for (const char *const *c = s->choices; *c; c++) {
        if (strcmp(*c, text) == 0) {
            memset(place(tree, s), 0, JR_SYSCTL_WORD_BYTES);
            memcpy(place(tree, s), text, strlen(text));
            return 0;
        }
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", *all ? ", " : "", *c);
    }
    snprintf(why, JR_SYSCTL_WHY_BYTES, "'%.40s' is none of %s", text, all);
    return -EINVAL;
}

static int set_key(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text, char *why)
{
    struct jr_sysctl_key *key = place(tree, s);
    uint8_t b[sizeof key->b];
    if (strlen(text) != 2 * sizeof b || strspn(text, "0123456789abcdefABCDEF") != 2 * sizeof b) {
        snprintf(why, JR_SYSCTL_WHY_BYTES, "a key has 32 hexadecimal digits");
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof b; i++) {
        const char two[3] = {text[2 * i], text[2 * i + 1], 0};
        b[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    memcpy(key->b, b, sizeof b);
    key->serial++;
    return 0;
}

/* Decimal, or true and false for a flag. */
static bool parse_number(const struct jr_sysctl *s, const char *text, uint64_t *out)
{
    char *end;
    if (s->type == JR_SYSCTL_FLAG && (!strcmp(text, "true") || !strcmp(text, "false"))) {
        *out = *text == 't';
        return true;
    }
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == 0 && errno == 0;
}

int jr_sysctl_set(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text,
                  char why[JR_SYSCTL_WHY_BYTES])
{
    uint64_t v;
    if (s->type == JR_SYSCTL_WORD)
        return set_word(tree, s, text, why);
    if (s->type == JR_SYSCTL_KEY)
        return set_key(tree, s, text, why);
    if (!parse_number(s, text, &v)) {
        snprintf(why, JR_SYSCTL_WHY_BYTES, "'%.40s' is no number from %" PRIu32 " to %" PRIu32, text, s->min, s->max);
        return -EINVAL;
    }
    if (v < s->min || v > s->max) {
        snprintf(why, JR_SYSCTL_WHY_BYTES, "%.40s is not between %" PRIu32 " and %" PRIu32, text, s->min, s->max);
        return -ERANGE;
    }
    if (s->type == JR_SYSCTL_POW2 && (v & (v - 1))) {
        snprintf(why, JR_SYSCTL_WHY_BYTES, "%.40s is no power of two", text);
        return -EINVAL;
    }
    put_number(tree, s, (uint32_t)v);
    return 0;
}

static bool exceeds(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s)
{
    const struct jr_sysctl *limit = s->at_most ? jr_sysctl_find(s->at_most) : NULL;
    return limit && number_of(tree, s) > number_of(tree, limit);
}

const struct jr_sysctl *jr_sysctl_conflict(const struct jr_sysctl_tree *tree)
{
    for (unsigned i = 0; i < jr_sysctl_count; i++)
        if (exceeds(tree, &jr_sysctls[i]))
            return &jr_sysctls[i];
    return NULL;
}

int jr_sysctl_set_live(const struct jr_sysctl_tree *tree, const struct jr_sysctl *s, const char *text,
                       char why[JR_SYSCTL_WHY_BYTES])
{
    char before[JR_SYSCTL_WORD_BYTES];
    if (s->boot) {
        snprintf(why, JR_SYSCTL_WHY_BYTES, "is read when the service starts: set it in the configuration file");
        return -EPERM;
    }
    jr_sysctl_get(tree, s, before);
    int rc = jr_sysctl_set(tree, s, text, why);
    const struct jr_sysctl *bad = rc ? NULL : jr_sysctl_conflict(tree);
    if (!bad)
        return rc;
    snprintf(why, JR_SYSCTL_WHY_BYTES, "%.60s must not be larger than %.60s", bad->name, bad->at_most);
    char unused[JR_SYSCTL_WHY_BYTES];
    jr_sysctl_set(tree, s, before, unused);
    return -ERANGE;
}
