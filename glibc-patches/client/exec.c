/* exec: the new image is told, by an environment variable that its libc
   takes out again, which of its fds are sockets of ours, and what the
   environment said of Joyride if the new one says nothing: "FDS[:[off]:PATH]".
   Programs that clear the environment keep their children on the service.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#define HINT "JOYRIDE_INHERIT="
#define HINT_LEN (sizeof HINT - 1)
#define MAX_FDS 1024

static bool
is_hint (const char *s)
{
  return strncmp (s, HINT, HINT_LEN) == 0;
}

/* ---- before ---- */

static bool
survives (int fd)
{
  int flags = jr_sys_fcntl (fd, F_GETFD, 0);
  return flags >= 0 && !(flags & FD_CLOEXEC);
}

/* Calls EACH for every socket that the new image will have.  */
static void
inherited (void (*each) (int fd, uint64_t ent, void *arg), void *arg)
{
  uint64_t ent, ents[16];
  int fds[16], left = MAX_FDS;
  for (int fd = __jr_fd_next (0, &ent); fd >= 0 && left > 0;
       fd = __jr_fd_next (fd + 1, &ent))
    if (jr_ent_kind (ent) == JR_FD_SOCKET && !(ent & JR_ENT_CLOEXEC) && survives (fd))
      {
	each (fd, ent, arg);
	left--;
      }
  int n = __jr_overlay_fds (fds, ents, 16);
  for (int i = 0; i < n; i++)
    if (survives (fds[i]))
      each (fds[i], ents[i], arg);
}

static void
count (int fd, uint64_t ent, void *arg)
{
  (void) fd;
  (void) ent;
  ++*(size_t *) arg;
}

static void
append (int fd, char **p)
{
  char digits[12];
  int n = 0;
  do
    digits[n++] = '0' + fd % 10;
  while ((fd /= 10) > 0);
  while (n > 0)
    *(*p)++ = digits[--n];
  *(*p)++ = ',';
}

static size_t
env_count (char *const envp[])
{
  size_t n = 0;
  while (envp != NULL && envp[n] != NULL)
    n++;
  return n;
}

bool __jr_raw_mode;

/* Whether ENVP lacks what this program was told, and what that was.  */
static bool
is_untold (char *const envp[], const char **path, bool *off)
{
  *path = __jr_env_told (off);
  if (**path == '\0' && !*off && !__jr_raw_mode)
    return false;
  for (; envp != NULL && *envp != NULL; envp++)
    if (strncmp (*envp, "JOYRIDE_SOCKET=", 15) == 0 || strncmp (*envp, "JOYRIDE=", 8) == 0)
      return false;
  return true;
}

size_t
__jr_exec_size (char *const envp[])
{
  size_t fds = 0, told = 0;
  const char *path;
  bool off;
  if (__jr_any ())
    inherited (count, &fds);
  if (is_untold (envp, &path, &off))
    told = sizeof ":off:" + strlen (path);
  if (fds == 0 && told == 0)
    return 0;
  /* A few more, should another thread make some meanwhile.  */
  return (env_count (envp) + 2) * sizeof (char *) + HINT_LEN + (fds + 16) * 11 + told + 1;
}

struct bounded
{
  char *at, *end;
};

static void
append_bounded (int fd, uint64_t ent, void *arg)
{
  struct bounded *b = arg;
  struct jr_seg *seg = ld_acquire (&__jr.seg[jr_ent_idx (ent)]);
  if (b->end - b->at < 12)
    return;
  append (fd, &b->at);
  /* The kernel listener behind it goes along.  */
  int shadow = seg != NULL ? ld_relaxed (&seg->ls[jr_ent_slot (ent)].shadow_fd) : -1;
  if (shadow >= 0)
    jr_sys_fcntl (shadow, F_SETFD, 0);
}

char **
__jr_exec_prepare (char *const envp[], void *buf, size_t size)
{
  char **out = buf;
  size_t k = 0, n = env_count (envp);
  struct bounded b = { (char *) buf + (n + 2) * sizeof (char *), (char *) buf + size };
  if (size < (n + 2) * sizeof (char *) + HINT_LEN + 1)
    return (char **) envp;
  for (size_t i = 0; i < n; i++)
    if (!is_hint (envp[i]))
      out[k++] = envp[i];
  out[k++] = b.at;
  out[k] = NULL;
  memcpy (b.at, HINT, HINT_LEN);
  const char *path;
  bool off;
  char *hint = b.at += HINT_LEN;
  size_t told = is_untold (envp, &path, &off) ? sizeof ":off:" + strlen (path) : 0;
  b.end -= told;
  if (__jr_any ())
    inherited (append_bounded, &b);
  b.at -= b.at > hint && b.at[-1] == ',';
  if (told != 0)
    b.at = stpcpy (stpcpy (b.at, off ? ":off:" : __jr_raw_mode ? ":raw:" : "::"), path);
  *b.at = '\0';
  return out;
}

/* ---- after ---- */

static void
adopt_list (const char *s)
{
  while (*s != '\0')
    {
      int fd = 0;
      if (*s < '0' || *s > '9')
	return;
      for (; *s >= '0' && *s <= '9' && fd < 100000000; s++)
	fd = fd * 10 + (*s - '0');
      if (__jr_looks_like_handle (fd) && __jr_fd_entry (fd) == 0)
	__jr_adopt (fd, 0);
      if (*s == ',')
	s++;
    }
}

void
__jr_start (char **envp)
{
  const char *hint = NULL, *path = NULL, *use = NULL, *trace = NULL;
  char **out = envp;
  if (envp == NULL)
    return;
  for (char **in = envp; *in != NULL; in++)
    {
      if (is_hint (*in))
	hint = *in + HINT_LEN;
      else
	*out++ = *in;
      if (strncmp (*in, "JOYRIDE_SOCKET=", 15) == 0)
	path = *in + 15;
      else if (strncmp (*in, "JOYRIDE=", 8) == 0)
	use = *in + 8;
      else if (strncmp (*in, "JOYRIDE_TRACE=", 14) == 0)
	trace = *in + 14;
    }
  if (trace != NULL && !jr_sys_secure ())
    __jr_trace_start (trace);
  const char *told = hint != NULL ? strchr (hint, ':') : NULL;
  if (told != NULL && path == NULL && use == NULL)
    {
      use = told[1] == 'o' ? "off" : NULL;
      __jr_raw_mode = told[1] == 'r';
      path = strchr (told + 1, ':');
      path = path != NULL ? path + 1 : NULL;
    }
  __jr_env_keep (jr_sys_secure () ? NULL : path, jr_sys_secure () ? NULL : use);
  if (hint == NULL)
    return;
  *out = NULL;
  if (!jr_sys_secure ())
    adopt_list (hint);
}
