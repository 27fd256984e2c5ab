/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a fuzz target over the files and folders named on the command line, without libFuzzer: the corpus as a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned ran;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data;

    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        return 1;
    }
    data = malloc(st.st_size ? (size_t)st.st_size : 1); /* its own block, for the sanitizers */
    if (!data || fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        perror(path);
        return 1;
    }
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    free(data);
    ran++;
    return 0;
}

static int run_path(const char *path)
{
    struct dirent *e;
    int err = 0;
    DIR *d = opendir(path);

    if (!d)
        return run_file(path);
    while ((e = readdir(d))) {
        char name[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        err |= run_file(name);
    }
    closedir(d);
    return err;
}

int main(int argc, char **argv)
{
    int err = 0;

    for (int i = 1; i < argc; i++)
        err |= run_path(argv[i]);
    printf("%u inputs\n", ran);
    return err || ran == 0;
}
