/* What others see of a program that ld.so was executed for.
   SPDX-License-Identifier: LGPL-2.1-or-later

   /proc/PID/cmdline is the memory that holds the argument strings, from
   mm->arg_start on: "ld.so --argv0 NAME PROGRAM ARGUMENT...".  NAME is moved
   to where it ends before the first argument, and the kernel told that the
   arguments begin there.  That needs a kernel with PR_SET_MM_MAP for
   everybody (CONFIG_CHECKPOINT_RESTORE); without it all stays as it is.  */

#ifndef _JOYRIDE_CMDLINE_H
#define _JOYRIDE_CMDLINE_H 1

#include <elf.h>
#include <joyride-rtld.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

extern char **_environ attribute_hidden;

/* Where NAME has been moved to, until ld.so has made it argv[0].  */
static char *joyride_argv0 attribute_relro;

static char *
joyride_string_end (char *s)
{
  return s + strlen (s) + 1;
}

/* ld.so is what the kernel took for the program: its code and data.  */
static void
joyride_code_and_data (struct prctl_mm_map *map)
{
  const struct link_map *l = joyride_rtld_map ();
  const ElfW(Ehdr) *ehdr = (const void *) l->l_map_start;
  const ElfW(Phdr) *phdr = (const void *) (l->l_map_start + ehdr->e_phoff);
  map->start_code = -1;
  for (size_t i = 0; i < ehdr->e_phnum; i++)
    {
      if (phdr[i].p_type != PT_LOAD)
	continue;
      uint64_t start = l->l_addr + phdr[i].p_vaddr;
      uint64_t end = start + phdr[i].p_filesz;
      if ((phdr[i].p_flags & PF_X) != 0)
	{
	  map->start_code = MIN (map->start_code, start);
	  map->end_code = MAX (map->end_code, end);
	}
      map->start_data = MAX (map->start_data, start);
      map->end_data = MAX (map->end_data, end);
    }
}

/* Tell the kernel that the arguments begin at START.  */
static bool
joyride_set_arg_start (char *start, char *end)
{
  struct prctl_mm_map map = { .exe_fd = -1 };
  joyride_code_and_data (&map);
  map.start_stack = (uintptr_t) __libc_stack_end;
  /* Nothing has moved it yet.  */
  map.start_brk = map.brk = INTERNAL_SYSCALL_CALL (brk, 0);
  map.arg_start = (uintptr_t) start;
  map.arg_end = map.env_start = map.env_end = (uintptr_t) end;
  if (_environ[0] != NULL)
    {
      char **last = _environ;
      while (last[1] != NULL)
	++last;
      map.env_start = (uintptr_t) _environ[0];
      map.env_end = (uintptr_t) joyride_string_end (*last);
    }
  return INTERNAL_SYSCALL_CALL (prctl, PR_SET_MM, PR_SET_MM_MAP, &map,
				sizeof (map), 0) == 0;
}

/* Take the words for ld.so out of what others see.  _dl_argv[0] is the
   program; what it gets as argv[0] may be before it.  */
static void
joyride_hide_ldso_arguments (void)
{
  char **first = (char **) __libc_stack_end + 1;
  char *program = _dl_argv[0];
  char *args = joyride_string_end (program);
  char *end = args;
  for (char **arg = _dl_argv + 1; *arg != NULL; arg++)
    {
      if (*arg != end)
	return;			/* not as the kernel laid them out */
      end = joyride_string_end (*arg);
    }
  if (_dl_argv - first < 3 || strcmp (_dl_argv[-2], "--argv0") != 0)
    {
      joyride_set_arg_start (program, end);
      return;
    }
  char *name = _dl_argv[-1];
  if (joyride_string_end (name) != program)
    return;
  char *moved = args - (program - name);
  char *copy = __strdup (program);
  if (copy == NULL || !joyride_set_arg_start (moved, end))
    return;
  memmove (moved, name, program - name);
  _dl_argv[0] = copy;
  joyride_argv0 = moved;
}

/* ld.so has made argv[0] what stood behind --argv0.  */
static void
joyride_fix_argv0 (void)
{
  if (joyride_argv0 != NULL)
    {
      _dl_argv[0] = joyride_argv0;
      joyride_argv0 = NULL;
    }
}

#endif /* joyride-cmdline.h */
