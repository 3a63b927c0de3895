// Screenshot makes a picture of the lab, of a real run: make figures.
//
//	go run ./browser/screenshot -lab ../../bin/lab -workbook ../.. -to lab.png
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"
	"unicode"

	"example.com/concurrent-web-server/internal/proof/browser"
	"github.com/chromedp/chromedp"
)

var (
	program  = flag.String("lab", "", "the lab's `program`")
	workbook = flag.String("workbook", "", "the workbook's `folder`")
	to       = flag.String("to", "", "the `picture`")
	width    = flag.Int64("width", 1200, "of the page, in `pixels`")
	height   = flag.Int64("height", 700, "of the page, in `pixels`")
	scale    = flag.Float64("scale", 1.1, "of the picture")
	scheme   = flag.String("scheme", "light", "light or dark")
	keys     = flag.String("keys", "s4q5i5q4q62", "`keys` to press, and after each how long to wait, in tenths of a second")
	js       = flag.String("js", "0", "an `expression` to evaluate in the end")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if browser.Find() == "" {
		log.Printf("there is no Chromium here: %s stays as it is", *to)
		return
	}
	var err error
	if *program, err = filepath.Abs(*program); err == nil {
		err = picture()
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*to)
}

func picture() error {
	temp, err := os.MkdirTemp("", "screenshot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	lab, err := browser.Start(*program, *workbook, temp)
	if err != nil {
		return err
	}
	defer lab.Stop()
	page, closeBrowser, err := browser.Open(context.Background(), temp, lab.URL)
	defer closeBrowser()
	if err == nil {
		err = page.Prefers("prefers-color-scheme", *scheme)
	}
	if err == nil {
		err = page.Do(chromedp.EmulateViewport(*width, *height, chromedp.EmulateScale(*scale)))
	}
	for _, everything := range []string{"[data-state=running]", "[data-state=building]"} {
		for err == nil {
			var is bool
			is, err = browser.Eval[bool](page, `document.querySelectorAll("`+everything+`").length > 0`)
			if is == (everything == "[data-state=running]") {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	time.Sleep(1500 * time.Millisecond) // the first look at the servers
	pause := 0
	for _, c := range *keys + " " {
		if unicode.IsDigit(c) {
			pause = 10*pause + int(c-'0')
			continue
		}
		time.Sleep(time.Duration(pause) * 100 * time.Millisecond)
		if pause = 0; err == nil && c != ' ' {
			err = page.Press(string(c))
		}
	}
	if err != nil {
		return err
	}
	if said, err := browser.Eval[any](page, *js); err != nil || *js != "0" {
		fmt.Println(said, err)
	}
	png, err := page.Screenshot()
	if err != nil {
		return err
	}
	return os.WriteFile(*to, png, 0o666)
}
