// Package watch notices that a file of a server has been saved.
package watch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fingerprint returns a text that changes when a file of the server is written: a file in
// its folder, or one that its command line names. Hidden files do not count. Without a
// file it is "".
func Fingerprint(spec string) string {
	names := strings.Fields(spec)
	if info, err := os.Stat(spec); err == nil && info.IsDir() {
		names = []string{spec + "/"} // with the slash WalkDir follows a symbolic link
	}
	var files strings.Builder
	for _, name := range names {
		name = strings.Trim(name, `'"`)
		filepath.WalkDir(name, func(path string, entry fs.DirEntry, _ error) error {
			hidden := path != name && strings.HasPrefix(entry.Name(), ".")
			if hidden && entry.IsDir() {
				return fs.SkipDir
			}
			// There is no file if an editor is replacing it, or if the word does not name one.
			if info, err := os.Stat(path); err == nil && !hidden && info.Mode().IsRegular() {
				fmt.Fprintln(&files, path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return files.String()
}
