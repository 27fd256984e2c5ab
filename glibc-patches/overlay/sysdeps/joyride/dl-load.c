/* The loader in a folder of its own finds libc.so.6 beside itself.
   SPDX-License-Identifier: LGPL-2.1-or-later

   "/opt/joyride/ld.so ./app" loads glibc's own libraries from ld.so's folder
   as far as they are there, and everything else from where the system's
   loader would: ld.so and libc.so.6 must match, the rest need not.  The
   program is opened by its canonical path, so that $ORIGIN and
   /proc/self/exe are what they would be if the kernel had started it.

   Nothing of this happens when ld.so is the system's (in /lib or /usr/lib)
   or has no libc.so.6 beside it (in glibc's build folder).  */

#if !IS_IN (rtld)
# include <elf/dl-load.c>
#else

# define _dl_map_object _dl_map_object_anywhere
# include <elf/dl-load.c>
# undef _dl_map_object

# include <sys/prctl.h>
# include <joyride-cmdline.h>
# include <joyride-dirs.h>
# include <joyride-rtld.h>

extern struct link_map *_dl_map_object (struct link_map *loader,
					const char *name, int type,
					int trace_mode, int mode, Lmid_t nsid)
  attribute_hidden;

/* ld.so's own folder with a slash at the end; NULL if nothing is to be loaded
   from it.  Set while the program starts, read-only afterwards.  */
static const char *own_dir attribute_relro;
static bool own_dir_known attribute_relro;

/* glibc's libraries, without "lib", which must come from the same build as
   ld.so where there is one.  */
static const char own_names[] =
  "c.so.6\0m.so.6\0pthread.so.0\0dl.so.2\0rt.so.1\0resolv.so.2\0util.so.1\0"
  "anl.so.1\0nsl.so.1\0mvec.so.1\0nss_compat.so.2\0nss_dns.so.2\0"
  "nss_files.so.2\0nss_hesiod.so.2\0thread_db.so.1\0BrokenLocale.so.1\0"
  "c_malloc_debug.so.0\0memusage.so\0pcprofile.so\0";

/* The file name in NAME if that is one of glibc's libraries, without a folder
   or in a system folder (the process would have two of it); else NULL.  */
static const char *
own_library (const char *name)
{
  size_t len = joyride_dir_length (name);
  if (len > 0 && !joyride_is_system_dir (name, len))
    return NULL;
  name += len;
  if (strncmp (name, "lib", 3) != 0)
    return NULL;
  for (const char *s = own_names; *s != '\0'; s += strlen (s) + 1)
    if (strcmp (name + 3, s) == 0)
      return name;
  return NULL;
}

/* Read the symbolic link LINK into a new string; NULL if it does not name a
   file by an absolute path.  */
static char *
read_link (const char *link)
{
  char buf[PATH_MAX];
  int len = INTERNAL_SYSCALL_CALL (readlink, link, buf, sizeof (buf) - 1);
  if (INTERNAL_SYSCALL_ERROR_P (len) || len <= 0 || buf[0] != '/')
    return NULL;
  buf[len] = '\0';
  return __access (buf, F_OK) == 0 ? __strdup (buf) : NULL;
}

/* The canonical path of the program NAME, in memory of its own; a copy of NAME
   if it can't be told.  */
static const char *
canonical_program (const char *name)
{
  int fd = __open64_nocancel (name, O_PATH | O_CLOEXEC);
  if (fd == -1)
    return __strdup (name) ?: name;
  char buf[sizeof "/proc/self/fd/" + 3 * sizeof (int)];
  char *end = buf + sizeof (buf) - 1;
  *end = '\0';
  char *digits = _itoa_word (fd, end, 10, 0);
  digits -= strlen ("/proc/self/fd/");
  memcpy (digits, "/proc/self/fd/", strlen ("/proc/self/fd/"));
  char *path = read_link (digits);
  __close_nocancel (fd);
  return path ?: __strdup (name) ?: name;
}

/* Find out which folder ld.so, known as SELF, is in, and whether libraries
   are to be loaded from it.  */
static void
find_own_dir (const char *self)
{
  own_dir_known = true;
  if (self == NULL || self[0] != '/')
    return;
  size_t len = joyride_dir_length (self);
  if (joyride_is_system_dir (self, len))
    return;
  char *dir = malloc (len + sizeof "libc.so.6");
  if (dir == NULL)
    return;
  memcpy (dir, self, len);
  memcpy (dir + len, "libc.so.6", sizeof "libc.so.6");
  if (__access (dir, R_OK) == 0)
    {
      dir[len] = '\0';
      own_dir = dir;
    }
}

/* The kernel named this process after ld.so.  Name it as it would have named
   the program: after the file that was executed.  Whoever executed ld.so in
   the place of something else gave that as its argv[0].  */
static void
set_process_name (const char *self, const char *program)
{
  const char *argv0 = ((char **) __libc_stack_end)[1] ?: "";
  argv0 += joyride_dir_length (argv0);
  self += joyride_dir_length (self);
  if (*argv0 == '\0' || strcmp (argv0, self) == 0)
    argv0 = program + joyride_dir_length (program);
  INTERNAL_SYSCALL_CALL (prctl, PR_SET_NAME, argv0);
}

/* Load the program of "ld.so NAME ...".  */
static struct link_map *
map_program (const char *name, int type, int trace_mode, int mode, Lmid_t nsid)
{
  char *self = read_link ("/proc/self/exe");
  find_own_dir (self);
  if (own_dir == NULL)
    return _dl_map_object_anywhere (NULL, name, type, trace_mode, mode, nsid);
  /* Instead of argv[0], which may be anything.  */
  joyride_rtld_map ()->l_name = self;
  set_process_name (self, name);
  name = canonical_program (name);
  struct link_map *l = _dl_map_object_anywhere (NULL, name, type, trace_mode,
						mode, nsid);
  /* glibc forgets it; it is what libc has to answer for /proc/self/exe.  */
  l->l_libname->name = name;
  /* Finished when the first library is mapped.  */
  if (l->l_info[DT_NEEDED] != NULL)
    joyride_hide_ldso_arguments ();
  return l;
}

/* Whether namespace NSID has an object of that name or soname.  */
static bool
is_loaded (const char *name, Lmid_t nsid)
{
  for (struct link_map *l = GL(dl_ns)[nsid]._ns_loaded; l; l = l->l_next)
    {
      if ((l->l_faked | l->l_removed) != 0)
	continue;
      if (_dl_name_match_p (name, l))
	return true;
      if (l->l_info[DT_SONAME] != NULL
	  && strcmp (name, ((const char *) D_PTR (l, l_info[DT_STRTAB])
			    + l->l_info[DT_SONAME]->d_un.d_val)) == 0)
	return true;
    }
  return false;
}

struct link_map *
_dl_map_object (struct link_map *loader, const char *name, int type,
		int trace_mode, int mode, Lmid_t nsid)
{
  if (type == lt_executable && (mode & __RTLD_OPENEXEC) != 0)
    return map_program (name, type, trace_mode, mode, nsid);

  joyride_fix_argv0 ();
  if (!own_dir_known)
    find_own_dir (joyride_rtld_map ()->l_name);
  const char *base = NULL;
  if (own_dir != NULL && (mode & __RTLD_SECURE) == 0)
    base = own_library (name);
  if (base != NULL && nsid >= 0 && is_loaded (base, nsid))
    name = base;
  else if (base != NULL)
    {
      size_t len = strlen (own_dir);
      char path[len + strlen (base) + 1];
      memcpy (path, own_dir, len);
      strcpy (path + len, base);
      if (__access (path, R_OK) == 0)
	{
	  struct link_map *l = _dl_map_object_anywhere (loader, path, type,
							trace_mode, mode,
							nsid);
	  /* Needed versions are looked up by this name.  */
	  if (!_dl_name_match_p (base, l))
	    add_name_to_object (l, base);
	  return l;
	}
    }
  return _dl_map_object_anywhere (loader, name, type, trace_mode, mode, nsid);
}

#endif
