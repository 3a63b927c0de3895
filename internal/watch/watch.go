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
		filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // an editor is replacing the file, or the word does not name a file
			}
			if path != name && strings.HasPrefix(entry.Name(), ".") {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				fmt.Fprintln(&files, path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return files.String()
}
