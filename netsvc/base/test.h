/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The harness of the C unit tests: a test is a function that registers itself, a check that fails is
 * printed and counted and the test goes on; JR_REQUIRE leaves the test. An argument on the command line
 * runs only the tests whose name contains it.
 *
 *     JR_TEST(adds_up) { JR_CHECK_EQ(1 + 1, 2); }
 *     JR_TEST_MAIN
 */
#ifndef JR_BASE_TEST_H
#define JR_BASE_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct jr_test {
    const char *name;
    void (*run)(void);
    struct jr_test *next;
};

/* One list per executable; JR_TEST_MAIN stands in exactly one of its files and defines these. */
extern struct jr_test *jr_test_first, **jr_test_last;
extern unsigned jr_test_failures; /* failed checks of the running test */

static inline void jr_test_add(struct jr_test *t)
{
    if (!jr_test_last)
        jr_test_last = &jr_test_first;
    *jr_test_last = t;
    jr_test_last = &t->next;
}

static inline bool jr_test_fail(const char *file, int line, const char *what)
{
    jr_test_failures++;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    return false;
}

static inline bool jr_test_eq(const char *file, int line, const char *what, intmax_t a, intmax_t b)
{
    if (a == b)
        return true;
    fprintf(stderr, "%s:%d: %s: %jd (0x%jx) is not %jd (0x%jx)\n", file, line, what, a, (uintmax_t)a, b, (uintmax_t)b);
    jr_test_failures++;
    return false;
}

static inline bool jr_test_mem(const char *file, int line, const char *what, const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++) {
        if (x[i] == y[i])
            continue;
        fprintf(stderr, "%s:%d: %s: byte %zu of %zu is 0x%02x, not 0x%02x\n", file, line, what, i, n, x[i], y[i]);
        jr_test_failures++;
        return false;
    }
    return true;
}

#define JR_TEST(name_)                                                                                                 \
    static void jr_test_##name_(void);                                                                                 \
    __attribute__((constructor)) static void jr_test_add_##name_(void)                                                 \
    {                                                                                                                  \
        static struct jr_test t = {#name_, jr_test_##name_, NULL};                                                     \
        jr_test_add(&t);                                                                                               \
    }                                                                                                                  \
    static void jr_test_##name_(void)

/* Each of these is an expression that tells whether the check held. */
#define JR_CHECK(cond) ((cond) ? true : jr_test_fail(__FILE__, __LINE__, "not true: " #cond))
#define JR_CHECK_EQ(a, b) jr_test_eq(__FILE__, __LINE__, #a " == " #b, (intmax_t)(a), (intmax_t)(b))
#define JR_CHECK_MEM(a, b, n) jr_test_mem(__FILE__, __LINE__, #a " == " #b, (a), (b), (n))
#define JR_CHECK_STR(a, b)                                                                                             \
    (strcmp((a), (b)) == 0                                                                                             \
         ? true                                                                                                        \
         : (fprintf(stderr, "\"%s\" is not \"%s\"\n", (a), (b)), jr_test_fail(__FILE__, __LINE__, #a " == " #b)))
#define JR_REQUIRE(cond)                                                                                               \
    do {                                                                                                               \
        if (!JR_CHECK(cond))                                                                                           \
            return;                                                                                                    \
    } while (0)

static inline int jr_test_run_all(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    for (struct jr_test *t = jr_test_first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        jr_test_failures = 0;
        t->run();
        if (jr_test_failures) {
            fprintf(stderr, "FAIL %s\n", t->name);
            failed++;
        } else {
            passed++;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || passed == 0 ? 1 : 0;
}

#define JR_TEST_MAIN                                                                                                   \
    struct jr_test *jr_test_first, **jr_test_last;                                                                     \
    unsigned jr_test_failures;                                                                                         \
    int main(int argc, char **argv) { return jr_test_run_all(argc, argv); }

#endif
