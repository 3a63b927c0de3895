"""Reads what go test -json prints: shows what failed, and which tests were skipped."""
import json, re, sys

expected = [line.strip() for line in open(".ci/skips") if line.strip()]
output, failed, skipped = {}, [], []
for line in sys.stdin:
    try: event = json.loads(line)
    except ValueError: print(line, end=""); continue
    key = (event.get("Package") or event.get("ImportPath"), event.get("Test"))
    if event["Action"] in ("output", "build-output"): output.setdefault(key, []).append(event["Output"])
    elif event["Action"] in ("fail", "build-fail"): failed.append(key)
    elif event["Action"] == "skip" and key[1]: skipped.append(key)
    if key[1] is None and event["Action"] in ("pass", "fail"):
        print("%s %s %.1f s" % (event["Action"], key[0], event.get("Elapsed", 0)), flush=True)
for key in failed:
    print("\n== failed: %s %s\n%s" % (key[0], key[1] or "", "".join(output.get(key, []))[:4000]))
skipped = [k for k in skipped if not any(re.search(e, k[1]) for e in expected)]
for key in skipped: print("skipped, which .ci/skips does not expect: %s %s" % key)
sys.exit(bool(failed or skipped))
