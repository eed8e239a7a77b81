// Preloaded into a program that is traced: maps files whose names are meant to be run as commands by whoever traces it. HOSTILE has
// their paths, separated by `|`.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void map_files(void) {
  char *paths = getenv("HOSTILE");
  if (paths == NULL) return;
  paths = strdup(paths);
  for (char *path = strtok(paths, "|"); path != NULL; path = strtok(NULL, "|")) {
    int file = open(path, O_RDONLY);
    if (file < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED) abort();
    close(file);
  }
  free(paths);
}
