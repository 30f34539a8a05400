/* A disk that loses what was not synced, for LD_PRELOAD.
 *
 * What a process syncs below UNSYNCED_FOLDER is copied to UNSYNCED_PLATTER: the content of a file at fsync or
 * fdatasync, the names in a folder at fsync of the folder. After the process is killed the platter is what a machine
 * would find after its power was cut. Content is kept by inode, so that a file synced under one name and then renamed
 * has its content under the new name once the folder is synced. Like ext4, the sync of a new file keeps its name too.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS (2 * PATH_MAX + 64)

static void name_content(const char *kept, const char *name) { /* replaced at once, as by rename(2) */
  char fresh[PATHS];
  snprintf(fresh, sizeof fresh, "%s.new", name);
  unlink(fresh);
  if (link(kept, fresh) == 0) rename(fresh, name);
  unlink(fresh); /* rename does nothing when both are the same file */
}

static void keep_file(int descriptor, ino_t inode, const char *platter, const char *name) {
  char kept[PATHS], fresh[PATHS], block[65536];
  snprintf(kept, sizeof kept, "%s/.inodes/%lu", platter, (unsigned long)inode);
  snprintf(fresh, sizeof fresh, "%s.%d.new", kept, gettid());
  char source[64];
  snprintf(source, sizeof source, "/proc/self/fd/%d", descriptor);
  int in = open(source, O_RDONLY | O_CLOEXEC), out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t got; in >= 0 && out >= 0 && (got = read(in, block, sizeof block)) > 0;)
    if (write(out, block, got) != got) abort();
  close(in);
  close(out);
  rename(fresh, kept);
  name_content(kept, name);
}

static void keep_names(const char *folder, const char *platter, const char *name) {
  DIR *entries = opendir(folder);
  for (struct dirent *entry; entries && (entry = readdir(entries));) {
    char kept[PATHS], there[PATHS];
    if (entry->d_name[0] == '.') continue;
    snprintf(there, sizeof there, "%s/%s", name, entry->d_name);
    snprintf(kept, sizeof kept, "%s/.inodes/%lu", platter, (unsigned long)entry->d_ino);
    if (entry->d_type == DT_DIR) mkdir(there, 0700);
    else if (access(kept, F_OK) == 0) name_content(kept, there);
  }
  if (entries) closedir(entries);
  entries = opendir(name); /* names that are gone from the folder */
  for (struct dirent *entry; entries && (entry = readdir(entries));) {
    char here[PATHS], there[PATHS];
    if (entry->d_name[0] == '.') continue;
    snprintf(here, sizeof here, "%s/%s", folder, entry->d_name);
    snprintf(there, sizeof there, "%s/%s", name, entry->d_name);
    if (access(here, F_OK) != 0) unlink(there);
  }
  if (entries) closedir(entries);
}

static void keep(int descriptor) {
  const char *folder = getenv("UNSYNCED_FOLDER"), *platter = getenv("UNSYNCED_PLATTER");
  char link_name[64], path[PATH_MAX] = "", name[PATHS];
  struct stat found;
  snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", descriptor);
  if (!folder || !platter || readlink(link_name, path, sizeof path - 1) < 0 || fstat(descriptor, &found)) return;
  size_t length = strlen(folder);
  if (strncmp(path, folder, length) || (path[length] && path[length] != '/')) return;
  snprintf(name, sizeof name, "%s%s", platter, path + length);
  if (S_ISDIR(found.st_mode)) keep_names(path, platter, name);
  else keep_file(descriptor, found.st_ino, platter, name);
}

int fsync(int descriptor) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  int result = real(descriptor);
  if (result == 0) keep(descriptor);
  return result;
}

int fdatasync(int descriptor) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
  int result = real(descriptor);
  if (result == 0) keep(descriptor);
  return result;
}
