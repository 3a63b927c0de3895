package browser

import (
	"flag"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var (
	picture = flag.String("picture", "", "make a `picture` of the lab")
	width   = flag.Int64("width", 1200, "of the picture's page, in `pixels`")
	height  = flag.Int64("height", 740, "of the picture's page, in `pixels`")
	scheme  = flag.String("scheme", "light", "of the picture: light or dark")
	keys    = flag.String("keys", "s4q5i5q4q62", "to press before, and after each how long to wait, in tenths of a second")
)

// TestPicture makes a picture of a real run, if it is asked for one: make figures.
func TestPicture(tt *testing.T) {
	if *picture == "" {
		return
	}
	t := start(tt, workbook)
	t.prefers("prefers-color-scheme", *scheme)
	const sharper = 1.1
	t.do(chromedp.EmulateViewport(*width, *height, chromedp.EmulateScale(sharper)))
	for _, step := range regexp.MustCompile(`\D\d*`).FindAllString(*keys, -1) {
		t.press(step[:1])
		tenths, _ := strconv.Atoi(step[1:])
		time.Sleep(time.Duration(tenths) * time.Second / 10)
	}
	png, err := chromedp.Run(t.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(*picture, png, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
