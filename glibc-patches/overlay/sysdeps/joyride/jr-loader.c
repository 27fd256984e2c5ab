/* Keeps children on this libc: a program that the kernel would give to the
   system's ld.so is given to ours, if ours is one that was executed from a
   folder of its own (docs/adr/0003).
   SPDX-License-Identifier: LGPL-2.1-or-later

   All this may run in a child of vfork or posix_spawn, which shares its
   parent's memory but not its fds, and on a small stack: raw system calls,
   no malloc, no libc state.  Whenever a file is not plainly a program to be
   kept, the caller makes the plain system call, whose result is the truth.
   binfmt_script in the kernel says how #! lines are read.  */

#include <jr-loader.h>
#include <elf.h>
#include <fcntl.h>
#include <ldsodefs.h>
#include <sysdep.h>
#include <sys/mman.h>
#include <joyride-dirs.h>
#include <joyride-rtld.h>
#include <_itoa.h>

#define HEAD_SIZE 1024		/* holds the ELF header and, as a rule, PT_INTERP */
#define LINE_SIZE 256		/* what the kernel reads of a #! line */
#define MAX_SCRIPTS 4		/* scripts run by scripts; the kernel has 5 */
#define STACK_WORDS 1024	/* longer argument lists get memory of their own */

enum kind
{
  PLAIN,			/* not ours to run */
  PROGRAM,			/* for the system's ld.so */
  SCRIPT
};

struct script
{
  const char *name;		/* the script's own path */
  const char *interp;
  const char *arg;		/* NULL if the line has none */
  char line[LINE_SIZE];
};

/* The path of our ld.so, if it and libc.so.6 are beside each other in a folder
   that is not the system's; else NULL.  */
static const char *
own_ldso (void)
{
  const struct link_map *rtld = joyride_rtld_map ();
  const struct link_map *libc = GL(dl_ns)[LM_ID_BASE].libc_map;
  if (rtld == NULL || libc == NULL)
    return NULL;
  const char *ldso = rtld->l_name;
  if (ldso == NULL || ldso[0] != '/')
    return NULL;
  size_t len = joyride_dir_length (ldso);
  if (joyride_is_system_dir (ldso, len)
      || strncmp (libc->l_name, ldso, len) != 0
      || joyride_dir_length (libc->l_name) != len)
    return NULL;
  return ldso;
}

const char *
__jr_loader_exe (void)
{
  /* The loader opened the program by its canonical path.  The program's own
     name in the map is empty, as it is when the kernel opened it.  */
  const struct link_map *main_map = GL(dl_ns)[LM_ID_BASE]._ns_loaded;
  if (main_map == NULL || main_map->l_libname == NULL
      || main_map->l_libname->name[0] != '/' || own_ldso () == NULL)
    return NULL;
  return main_map->l_libname->name;
}

const char *
__jr_loader_self (const char *path)
{
  if (path == NULL || strncmp (path, "/proc/", 6) != 0)
    return NULL;
  path += 6;
  if (strcmp (path, "self/exe") != 0 && strcmp (path, "thread-self/exe") != 0)
    {
      char digits[3 * sizeof (int)];
      char *end = digits + sizeof (digits);
      char *pid = _itoa_word (INTERNAL_SYSCALL_CALL (getpid), end, 10, 0);
      if (strncmp (path, pid, end - pid) != 0
	  || strcmp (path + (end - pid), "/exe") != 0)
	return NULL;
    }
  return __jr_loader_exe ();
}

/* Whether the LEN bytes at NAME, with a null byte at the end, are the system's
   ld.so.  */
static bool
is_system_ldso (const char *name, size_t len)
{
  static const char ldso[] = "ld-linux-x86-64.so.2";
  if (len <= sizeof (ldso) || name[len - 1] != '\0')
    return false;
  len -= sizeof (ldso);
  return (strcmp (name + len, ldso) == 0
	  && joyride_is_system_dir (name, len));
}

/* Copy SIZE bytes at OFFSET of the file FD, of which HEAD has the first N.  */
static bool
get (int fd, const char *head, size_t n, uint64_t offset, void *to, size_t size)
{
  if (offset <= n && size <= n - offset)
    {
      memcpy (to, head + offset, size);
      return true;
    }
  return INTERNAL_SYSCALL_CALL (pread64, fd, to, size, offset) == size;
}

static enum kind
examine_elf (int fd, const char *head, size_t n)
{
  Elf64_Ehdr ehdr;
  if (n < sizeof (ehdr))
    return PLAIN;
  memcpy (&ehdr, head, sizeof (ehdr));
  if (ehdr.e_ident[EI_CLASS] != ELFCLASS64
      || ehdr.e_ident[EI_DATA] != ELFDATA2LSB
      || ehdr.e_machine != EM_X86_64
      || (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
      || ehdr.e_phentsize != sizeof (Elf64_Phdr))
    return PLAIN;
  for (unsigned int i = 0; i < ehdr.e_phnum; i++)
    {
      Elf64_Phdr phdr;
      char name[64];
      if (!get (fd, head, n, ehdr.e_phoff + i * sizeof (phdr), &phdr,
		sizeof (phdr)))
	return PLAIN;
      if (phdr.p_type != PT_INTERP)
	continue;
      if (phdr.p_filesz > sizeof (name)
	  || !get (fd, head, n, phdr.p_offset, name, phdr.p_filesz))
	return PLAIN;
      return is_system_ldso (name, phdr.p_filesz) ? PROGRAM : PLAIN;
    }
  return PLAIN;
}

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

/* Parse the #! line at HEAD, N bytes, into SCRIPT as the kernel does.  */
static enum kind
examine_script (const char *head, size_t n, struct script *script)
{
  char *line = script->line;
  if (n > LINE_SIZE - 1)
    n = LINE_SIZE - 1;
  memcpy (line, head, n);
  line[n] = '\0';
  char *start = line + 2;
  char *end = memchr (start, '\n', n - 2);
  bool whole = end != NULL || n < LINE_SIZE - 1;
  if (end == NULL)
    end = line + strlen (line);
  while (is_blank (*start))
    ++start;
  while (end > start && is_blank (end[-1]))
    --end;
  if (start == end)
    return PLAIN;
  *end = '\0';
  char *p = start;
  while (*p != '\0' && !is_blank (*p))
    ++p;
  if (*p == '\0' && !whole)
    return PLAIN;		/* a cut-off name */
  script->interp = start;
  script->arg = NULL;
  if (*p != '\0')
    {
      *p++ = '\0';
      while (is_blank (*p))
	++p;
      if (*p != '\0')
	script->arg = p;
    }
  return SCRIPT;
}

/* What is in the open file FD.  */
static enum kind
examine_contents (int fd, struct script *script)
{
  char head[HEAD_SIZE];
  long int n = INTERNAL_SYSCALL_CALL (pread64, fd, head, sizeof (head), 0);
  if (n < 4)
    return PLAIN;
  if (memcmp (head, "#!", 2) == 0)
    return script == NULL ? PLAIN : examine_script (head, n, script);
  if (memcmp (head, ELFMAG, SELFMAG) != 0)
    return PLAIN;
  /* Capabilities are given only to what the kernel itself executes.  */
  if (INTERNAL_SYSCALL_CALL (fgetxattr, fd, "security.capability", NULL, 0) > 0)
    return PLAIN;
  return examine_elf (fd, head, n);
}

/* What PATH is; a script is taken apart into SCRIPT unless that is NULL.
   PLAIN also for every file that the kernel would not execute.  */
static enum kind
examine (const char *path, struct script *script)
{
  struct stat64 st;
  if (INTERNAL_SYSCALL_CALL (newfstatat, AT_FDCWD, path, &st, 0) != 0
      || !S_ISREG (st.st_mode)
      || (st.st_mode & S_ISUID) != 0
      || (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)
      || INTERNAL_SYSCALL_CALL (faccessat2, AT_FDCWD, path, X_OK,
				AT_EACCESS) != 0)
    return PLAIN;
  int fd = INTERNAL_SYSCALL_CALL (openat, AT_FDCWD, path,
				  O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return PLAIN;
  enum kind kind = examine_contents (fd, script);
  INTERNAL_SYSCALL_CALL (close, fd);
  return kind;
}

/* Execute LDSO for PROGRAM, the interpreter of the last of N scripts, with
   the arguments that the kernel would give it.  VEC has room for all.  */
static void
run (const char *ldso, const char *program, const char *name,
     const struct script *scripts, int n, char *const argv[],
     char *const envp[], const char **vec)
{
  const char **p = vec;
  *p++ = name;			/* ld.so names the process after this */
  *p++ = "--argv0";
  if (n == 0)
    *p++ = argv != NULL && argv[0] != NULL ? argv[0] : "";
  else
    *p++ = scripts[n - 1].interp;
  *p++ = program;
  for (int i = n - 1; i >= 0; i--)
    {
      if (scripts[i].arg != NULL)
	*p++ = scripts[i].arg;
      *p++ = scripts[i].name;
    }
  if (argv != NULL && argv[0] != NULL)
    while (*++argv != NULL)
      *p++ = *argv;
  *p = NULL;
  INTERNAL_SYSCALL_CALL (execve, ldso, vec, envp);
}

/* ld.so looks for a name without a slash among the libraries and takes one
   with two dashes for an option.  Return PATH, or "./PATH" in BUF; NULL if
   that is too long.  */
static const char *
with_slash (const char *path, char *buf, size_t size)
{
  if (path[0] == '/' || (path[0] != '-' && strchr (path, '/') != NULL))
    return path;
  size_t len = strlen (path) + 1;
  if (len + 2 > size)
    return NULL;
  memcpy (buf, "./", 2);
  memcpy (buf + 2, path, len);
  return buf;
}

/* Find what PATH runs in the end and execute that.  */
static void
keep (const char *ldso, const char *path, bool scripts_too,
      char *const argv[], char *const envp[])
{
  struct script scripts[MAX_SCRIPTS];
  int n = 0;
  const char *program = path;
  enum kind kind;
  while ((kind = examine (program, scripts_too && n < MAX_SCRIPTS
				   ? &scripts[n] : NULL)) == SCRIPT)
    {
      scripts[n].name = program;
      program = scripts[n].interp;
      n++;
    }
  char buf[NAME_MAX + 4];
  if (kind != PROGRAM
      || (program = with_slash (program, buf, sizeof (buf))) == NULL)
    return;

  size_t words = 5 + 2 * MAX_SCRIPTS;
  for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
    words++;
  if (words <= STACK_WORDS)
    {
      const char *vec[words];
      run (ldso, program, path, scripts, n, argv, envp, vec);
      return;
    }
  /* A child of vfork leaves this to its parent when it succeeds: seldom, and
     small beside the stack that posix_spawn makes.  */
  const char **vec = __mmap (NULL, words * sizeof (*vec),
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (vec == MAP_FAILED)
    return;
  run (ldso, program, path, scripts, n, argv, envp, vec);
  __munmap (vec, words * sizeof (*vec));
}

/* Execute PATH by LDSO if it is a program for the system's.  */
static void
keep_path (const char *ldso, const char *path, char *const argv[],
	   char *const envp[])
{
  if (path != NULL)
    keep (ldso, __jr_loader_self (path) ?: path, true, argv, envp);
}

/* The same for the file that FD is open on.  */
static void
keep_fd (const char *ldso, int fd, char *const argv[], char *const envp[])
{
  /* The file must still have a name, and the name must mean the file.  */
  char link[sizeof "/proc/self/fd/" + 3 * sizeof (int)] = "/proc/self/fd/";
  char digits[3 * sizeof (int) + 1];
  char *end = digits + sizeof (digits) - 1;
  *end = '\0';
  if (fd < 0)
    return;
  strcat (link, _itoa_word (fd, end, 10, 0));
  char path[PATH_MAX];
  long int len = INTERNAL_SYSCALL_CALL (readlink, link, path,
					sizeof (path) - 1);
  struct stat64 by_fd, by_name;
  if (len <= 0 || path[0] != '/')
    return;
  path[len] = '\0';
  if (INTERNAL_SYSCALL_CALL (fstat, fd, &by_fd) == 0
      && INTERNAL_SYSCALL_CALL (newfstatat, AT_FDCWD, path, &by_name, 0) == 0
      && by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino)
    /* A script would have to see the name that the kernel makes up.  */
    keep (ldso, path, false, argv, envp);
}

int
__jr_execve (const char *path, char *const argv[], char *const envp[])
{
  size_t size = __jr_exec_size (envp);
  char memory[size] __attribute__ ((aligned (16)));
  if (size != 0)
    envp = __jr_exec_prepare (envp, memory, size);
  const char *ldso = own_ldso ();
  if (ldso != NULL)
    keep_path (ldso, path, argv, envp);
  return INLINE_SYSCALL_CALL (execve, path, argv, envp);
}

int
__jr_execveat (int dirfd, const char *path, char *const argv[],
	       char *const envp[], int flags)
{
  size_t size = __jr_exec_size (envp);
  char memory[size] __attribute__ ((aligned (16)));
  if (size != 0)
    envp = __jr_exec_prepare (envp, memory, size);
  const char *ldso = own_ldso ();
  if (ldso != NULL && path != NULL)
    {
      if (path[0] == '\0' && flags == AT_EMPTY_PATH)
	keep_fd (ldso, dirfd, argv, envp);
      else if (flags == 0 && (path[0] == '/' || dirfd == AT_FDCWD))
	keep_path (ldso, path, argv, envp);
    }
  return INLINE_SYSCALL_CALL (execveat, dirfd, path, argv, envp, flags);
}
