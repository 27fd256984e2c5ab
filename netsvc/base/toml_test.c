/* SPDX-License-Identifier: BSD-3-Clause */
/* The TOML reader against the specification's own rules: what must parse, and what must fail on which line. */
#include "base/toml.h"

#include <math.h>

#include "base/test.h"

static struct jr_toml *parse(const char *text)
{
    struct jr_toml_error err;
    struct jr_toml *t = jr_toml_parse(text, strlen(text), &err);
    if (!t)
        fprintf(stderr, "line %u: %s\n", err.line, err.text);
    return t;
}

/* The line of the error, 0 when it parsed. */
static unsigned fails_on(const char *text)
{
    struct jr_toml_error err;
    struct jr_toml *t = jr_toml_parse(text, strlen(text), &err);
    jr_toml_free(t);
    return t ? 0 : err.line;
}

static int64_t int_at(const struct jr_toml *t, const char *key)
{
    const struct jr_toml *n = jr_toml_get(t, key);
    return n && n->type == JR_TOML_INT ? n->i : INT64_MIN;
}

JR_TEST(scalars)
{
    struct jr_toml *t = parse("i = 1_000\nh=0xdead_BEEF\no = 0o17\nb = 0b101\nneg = -9223372036854775808\n"
                              "f = -1.5e3\ninf = -inf\nt = true # comment\nn = false\r\nnan = nan");
    JR_REQUIRE(t);
    JR_CHECK_EQ(int_at(t, "i"), 1000);
    JR_CHECK_EQ(int_at(t, "h"), 0xdeadbeef);
    JR_CHECK_EQ(int_at(t, "o"), 15);
    JR_CHECK_EQ(int_at(t, "b"), 5);
    JR_CHECK_EQ(int_at(t, "neg"), INT64_MIN);
    JR_CHECK(jr_toml_get(t, "f")->f == -1500.0);
    JR_CHECK(isinf(jr_toml_get(t, "inf")->f) && jr_toml_get(t, "inf")->f < 0);
    JR_CHECK(isnan(jr_toml_get(t, "nan")->f));
    JR_CHECK(jr_toml_get(t, "t")->b);
    JR_CHECK(!jr_toml_get(t, "n")->b);
    JR_CHECK_EQ(jr_toml_get(t, "t")->line, 8);
    jr_toml_free(t);
}

JR_TEST(strings)
{
    struct jr_toml *t = parse(
        "a = \"x\\t\\\"\\u00e9\\U0001F600\"\nb = 'C:\\no'\nc = \"\"\"\nline1\nline2 \\\n    joined\"\"\"\n"
        "d = '''raw \\ '' '''\ne = \"\"\nf = \"\"\"two \"\"\"\"\"\n\"quoted key\" = 1");
    JR_REQUIRE(t);
    JR_CHECK_STR(jr_toml_get(t, "a")->str.s, "x\t\"\xc3\xa9\xf0\x9f\x98\x80");
    JR_CHECK_STR(jr_toml_get(t, "b")->str.s, "C:\\no");
    JR_CHECK_STR(jr_toml_get(t, "c")->str.s, "line1\nline2 joined");
    JR_CHECK_STR(jr_toml_get(t, "d")->str.s, "raw \\ '' ");
    JR_CHECK_STR(jr_toml_get(t, "e")->str.s, "");
    JR_CHECK_STR(jr_toml_get(t, "f")->str.s, "two \"\"");
    JR_CHECK_EQ(jr_toml_get(t, "quoted key")->line, 10);
    jr_toml_free(t);
}

JR_TEST(tables_and_arrays)
{
    struct jr_toml *t = parse("top = 1\n[a.b]\nx = 1\n[a]\ny = 2\n[[p]]\nn = 1\n[p.fault]\ndrop = 0.5\n[[p]]\nn = 2\n"
                              "arr = [ 1, [2, 3], # c\n  \"s\",\n ]\nin = { k.l = 1, m = [] }\n");
    JR_REQUIRE(t);
    const struct jr_toml *a = jr_toml_get(t, "a"), *p = jr_toml_get(t, "p");
    JR_CHECK_EQ(int_at(a, "y"), 2);
    JR_CHECK_EQ(int_at(jr_toml_get(a, "b"), "x"), 1);
    JR_REQUIRE(p && p->type == JR_TOML_ARRAY && p->child && p->child->next);
    JR_CHECK_EQ(int_at(p->child, "n"), 1);
    JR_CHECK(jr_toml_get(jr_toml_get(p->child, "fault"), "drop")->f == 0.5);
    const struct jr_toml *second = p->child->next;
    JR_CHECK_EQ(int_at(second, "n"), 2);
    JR_CHECK(!jr_toml_get(second, "fault"));
    const struct jr_toml *arr = jr_toml_get(second, "arr");
    JR_REQUIRE(arr && arr->child && arr->child->next && arr->child->next->next);
    JR_CHECK_EQ(arr->child->next->child->i, 2);
    JR_CHECK_STR(arr->child->next->next->str.s, "s");
    JR_CHECK(!arr->child->next->next->next);
    JR_CHECK_EQ(int_at(jr_toml_get(jr_toml_get(second, "in"), "k"), "l"), 1);
    jr_toml_free(t);
}

JR_TEST(empty_and_comments)
{
    struct jr_toml *t = parse("");
    JR_CHECK(t && !t->child);
    jr_toml_free(t);
    t = parse("\xef\xbb\xbf# only\n\n   # this\r\n");
    JR_CHECK(t && !t->child);
    jr_toml_free(t);
}

JR_TEST(errors_name_the_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {
        {"a = 1\na = 2", 2},
        {"[t]\n[t]", 2},
        {"a = 1\n[a]", 2},
        {"a = {}\na.b = 1", 2},
        {"a = []\n[[a]]", 2},
        {"[[a]]\n[a]", 2},
        {"[a]\nb.c = 1\n[a.b]", 3},
        {"[a]\n[b]\n[b.c]\n[a.d]\n[b.c]", 5},
        {"a.b = 1\na.b.c = 2", 2},
        {"\n\nnonsense", 3},
        {"a = ", 1},
        {"a = 1 2", 1},
        {"a = \"open\nb = 1", 1},
        {"a = \"\"\"open\n\n", 3},
        {"a = \"\\q\"", 1},
        {"a = \"\\ud800\"", 1},
        {"a = 01", 1},
        {"a = 1__0", 1},
        {"a = _1", 1},
        {"a = .5", 1},
        {"a = 5.", 1},
        {"a = +0x1", 1},
        {"a = 9223372036854775808", 1},
        {"a = 1979-05-27", 1},
        {"a = yes", 1},
        {"a = [1 2]", 1},
        {"a = [1,\n2\n", 3},
        {"a = {b = 1\n}", 1},
        {"= 1", 1},
        {"a b = 1", 1},
        {"[a", 1},
        {"[[a]\n", 1},
        {"# bell \a", 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!JR_CHECK_EQ(fails_on(bad[i].text), bad[i].line))
            fprintf(stderr, "  in: %s\n", bad[i].text);
}

JR_TEST(nesting_is_limited)
{
    char text[200] = "a = ";
    memset(text + 4, '[', 100);
    JR_CHECK_EQ(fails_on(text), 1);
}

/* Every prefix of a valid document either parses or fails; under a sanitizer this shows that nothing reads past the
 * end. */
JR_TEST(any_prefix_is_safe)
{
    static const char text[] =
        "a = \"x\\u00e9\"\n[b.c]\nd = [1, {e = '''f'''}]\n[[g]]\nh = 0x1f # i\r\nj=\"\"\"k\\\n l\"\"\"";
    for (size_t n = 0; n <= sizeof text - 1; n++) {
        struct jr_toml_error err;
        struct jr_toml *t = jr_toml_parse(text, n, &err);
        JR_CHECK(t || (err.line > 0 && err.text[0]));
        jr_toml_free(t);
    }
}

JR_TEST_MAIN
