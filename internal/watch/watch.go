// Package watch notices that the files of a server have been saved.
package watch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fingerprint returns a text that changes when a file of the server is written: one in
// its folder, or one that its command line names.
func Fingerprint(spec string) (string, error) {
	names := []string{spec}
	if info, err := os.Stat(spec); err != nil || !info.IsDir() {
		names = strings.Fields(spec)
	}
	var files strings.Builder
	for _, name := range names {
		name = strings.Trim(name, `'"`)
		if target, err := filepath.EvalSymlinks(name); err == nil {
			name = target // WalkDir follows no link
		}
		filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // an editor has just replaced it, or it is no file
			}
			hidden := path != name && strings.HasPrefix(entry.Name(), ".")
			if hidden && entry.IsDir() {
				return fs.SkipDir
			}
			if info, err := entry.Info(); err == nil && !hidden && info.Mode().IsRegular() {
				fmt.Fprintln(&files, path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	if files.Len() == 0 {
		return "", fmt.Errorf("There is nothing to watch: %s is no folder, and names no file.", spec)
	}
	return files.String(), nil
}
