/* SPDX-License-Identifier: BSD-3-Clause */
/* TOML's values: strings, numbers, booleans, arrays and inline tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/toml_parser.h"

/* Appends one code point as UTF-8; returns the bytes written. */
static size_t put_utf8(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

static bool parse_hex(struct jr_toml_parser *p, unsigned digits, uint32_t *cp)
{
    *cp = 0;
    for (unsigned i = 0; i < digits; i++, p->at++) {
        char c = *p->at;
        uint32_t v;
        if (c >= '0' && c <= '9')
            v = (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = (uint32_t)((c | 32) - 'a' + 10);
        else
            return jr_toml_fail(p, "expected %u hexadecimal digits after the \\u", digits);
        *cp = *cp << 4 | v;
    }
    if (*cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
        return jr_toml_fail(p, "U+%04X is no character", (unsigned)*cp);
    return true;
}

/* A line ending backslash in a multi-line string eats all white space up to the next character. */
static bool skip_line_continuation(struct jr_toml_parser *p)
{
    const char *s = p->at;
    while (*s == ' ' || *s == '\t' || *s == '\r')
        s++;
    if (*s != '\n')
        return jr_toml_fail(p, "unknown escape '\\%.1s'", p->at);
    for (; *s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'; s++)
        p->line += *s == '\n';
    p->at = s;
    return true;
}

/* p->at is behind the backslash. */
static bool parse_escape(struct jr_toml_parser *p, bool multi, char *out, size_t *n)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    char c = *p->at;
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        out[(*n)++] = to[hit - from];
        p->at++;
        return true;
    }
    if (c == 'u' || c == 'U') {
        uint32_t cp;
        p->at++;
        if (!parse_hex(p, c == 'u' ? 4 : 8, &cp))
            return false;
        *n += put_utf8(out + *n, cp);
        return true;
    }
    if (multi)
        return skip_line_continuation(p);
    return jr_toml_fail(p, "unknown escape '\\%.1s'", p->at);
}

/* The closing quotes of a multi-line string: up to two more quotes may stand right before the three. */
static bool at_triple_end(struct jr_toml_parser *p, char quote, char *out, size_t *n)
{
    if (p->at[0] != quote || p->at[1] != quote || p->at[2] != quote)
        return false;
    for (int extra = 0; extra < 2 && p->at[3] == quote; extra++, p->at++)
        out[(*n)++] = quote;
    p->at += 3;
    return true;
}

static bool parse_string_body(struct jr_toml_parser *p, char quote, bool triple, char *out, size_t *n)
{
    for (;;) {
        unsigned char c = (unsigned char)*p->at;
        if (p->at >= p->end)
            return jr_toml_fail(p, "a string without its end");
        if (triple ? at_triple_end(p, quote, out, n) : c == (unsigned char)quote) {
            p->at += triple ? 0 : 1;
            return true;
        }
        if (c == '\\' && quote == '"') {
            p->at++;
            if (!parse_escape(p, triple, out, n))
                return false;
            continue;
        }
        bool newline = c == '\n' || (c == '\r' && p->at[1] == '\n');
        if (newline && !triple)
            return jr_toml_fail(p, "a string without its end");
        if (((c < 0x20 && c != '\t') || c == 0x7f) && !newline)
            return jr_toml_fail(p, "a string holds the control character 0x%02x", c);
        p->line += c == '\n';
        out[(*n)++] = *p->at++;
    }
}

bool jr_toml_parse_string(struct jr_toml_parser *p, bool multi, char **s, size_t *len)
{
    char quote = *p->at;
    bool triple = multi && p->at[1] == quote && p->at[2] == quote;
    p->at += triple ? 3 : 1;
    if (triple && p->at[0] == '\r' && p->at[1] == '\n')
        p->at++;
    if (triple && *p->at == '\n') {
        p->at++;
        p->line++;
    }
    char *out = malloc((size_t)(p->end - p->at) + 5); /* nothing grows: an escape is longer than its bytes */
    if (!out)
        return jr_toml_fail(p, "out of memory");
    *len = 0;
    if (!parse_string_body(p, quote, triple, out, len)) {
        free(out);
        return false;
    }
    out[*len] = 0;
    char *fit = realloc(out, *len + 1);
    *s = fit ? fit : out;
    return true;
}

/* The text of a number without its underscores; false when an underscore isn't between two digits. */
static bool strip_underscores(const char *in, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        if (in[i] != '_') {
            *out++ = in[i];
            continue;
        }
        bool between = i > 0 && i + 1 < n && strchr("0123456789abcdefABCDEF", in[i - 1]) &&
                       strchr("0123456789abcdefABCDEF", in[i + 1]);
        if (!between)
            return false;
    }
    *out = 0;
    return true;
}

/* The shape strtoll and strtod are too generous about. s has no underscores. */
static bool is_number_shape(const char *s, bool *is_float)
{
    *is_float = false;
    bool has_sign = *s == '+' || *s == '-';
    s += has_sign;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o' || s[1] == 'b')) {
        const char *digits = s[1] == 'x' ? "0123456789abcdefABCDEF" : s[1] == 'o' ? "01234567" : "01";
        return !has_sign && s[2] && strspn(s + 2, digits) == strlen(s + 2);
    }
    size_t whole = strspn(s, "0123456789");
    if (whole == 0 || (whole > 1 && s[0] == '0'))
        return false;
    s += whole;
    if (*s == '.') {
        size_t frac = strspn(s + 1, "0123456789");
        if (!frac)
            return false;
        *is_float = true;
        s += 1 + frac;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t exp = strspn(s, "0123456789");
        if (!exp)
            return false;
        *is_float = true;
        s += exp;
    }
    return *s == 0;
}

static struct jr_toml *parse_number(struct jr_toml_parser *p)
{
    char buf[64];
    size_t n = strcspn(p->at, " \t\r\n,]}#=");
    struct jr_toml *v = NULL;
    const char *word = p->at + (*p->at == '+' || *p->at == '-');
    bool is_special = strncmp(word, "inf", 3) == 0 || strncmp(word, "nan", 3) == 0;
    bool is_float = true;
    if (n == 0 || n >= sizeof buf || !strip_underscores(p->at, n, buf) ||
        !(is_special ? word + 3 == p->at + n : is_number_shape(buf, &is_float))) {
        jr_toml_fail(p, "'%.*s' is no value: strings need quotes, dates aren't known", (int)(n < 40 ? n : 40), p->at);
        return NULL;
    }
    v = jr_toml_node_new(p, is_float ? JR_TOML_FLOAT : JR_TOML_INT);
    if (!v)
        return NULL;
    errno = 0;
    bool prefixed = buf[0] == '0' && buf[1] && strchr("xob", buf[1]);
    if (is_float)
        v->f = strtod(buf, NULL);
    else
        v->i = strtoll(prefixed ? buf + 2 : buf, NULL, !prefixed ? 10 : buf[1] == 'x' ? 16 : buf[1] == 'o' ? 8 : 2);
    if (!is_float && errno == ERANGE) {
        jr_toml_fail(p, "%s doesn't fit in 64 bits", buf);
        jr_toml_free(v);
        return NULL;
    }
    p->at += n;
    return v;
}

/* White space, comments and new lines between the elements of an array. */
static bool skip_between(struct jr_toml_parser *p)
{
    for (;;) {
        jr_toml_skip_blank(p);
        if (!jr_toml_skip_comment(p))
            return false;
        if (*p->at == '\r' && p->at[1] == '\n')
            p->at++;
        if (*p->at != '\n')
            return true;
        p->at++;
        p->line++;
    }
}

static bool parse_array(struct jr_toml_parser *p, struct jr_toml *arr)
{
    p->at++;
    for (;;) {
        if (!skip_between(p))
            return false;
        if (*p->at == ']')
            break;
        struct jr_toml *v = jr_toml_parse_value(p);
        if (!v)
            return false;
        jr_toml_node_append(arr, v);
        if (!skip_between(p))
            return false;
        if (*p->at == ',')
            p->at++;
        else if (*p->at != ']')
            return jr_toml_fail(p, "expected ',' or ']' in the array");
    }
    p->at++;
    return true;
}

static bool parse_inline_table(struct jr_toml_parser *p, struct jr_toml *t)
{
    p->at++;
    jr_toml_skip_blank(p);
    if (*p->at == '}') {
        p->at++;
        return true;
    }
    for (;;) {
        jr_toml_skip_blank(p);
        if (!jr_toml_parse_pair(p, t))
            return false;
        jr_toml_skip_blank(p);
        char c = *p->at;
        if (c != ',' && c != '}')
            return jr_toml_fail(p, "expected ',' or '}' in the inline table");
        p->at++;
        if (c == '}')
            return true;
    }
}

static struct jr_toml *parse_container(struct jr_toml_parser *p)
{
    bool is_array = *p->at == '[';
    if (p->depth == JR_TOML_DEPTH) {
        jr_toml_fail(p, "values are nested more than %d deep", JR_TOML_DEPTH);
        return NULL;
    }
    struct jr_toml *v = jr_toml_node_new(p, is_array ? JR_TOML_ARRAY : JR_TOML_TABLE);
    if (!v)
        return NULL;
    p->depth++;
    bool ok = is_array ? parse_array(p, v) : parse_inline_table(p, v);
    p->depth--;
    if (!ok) {
        jr_toml_free(v);
        return NULL;
    }
    return v;
}

static bool at_word(const struct jr_toml_parser *p, const char *word)
{
    size_t n = strlen(word);
    return strncmp(p->at, word, n) == 0 && (!p->at[n] || strchr(" \t\r\n,]}#", p->at[n]));
}

struct jr_toml *jr_toml_parse_value(struct jr_toml_parser *p)
{
    switch (*p->at) {
    case '"':
    case '\'': {
        struct jr_toml *v = jr_toml_node_new(p, JR_TOML_STRING);
        if (v && !jr_toml_parse_string(p, true, &v->str.s, &v->str.len)) {
            jr_toml_free(v);
            return NULL;
        }
        return v;
    }
    case '[':
    case '{':
        return parse_container(p);
    case 't':
    case 'f':
        if (at_word(p, "true") || at_word(p, "false")) {
            struct jr_toml *v = jr_toml_node_new(p, JR_TOML_BOOL);
            if (v) {
                v->b = *p->at == 't';
                p->at += v->b ? 4 : 5;
            }
            return v;
        }
    }
    return parse_number(p);
}
