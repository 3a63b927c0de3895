"""Reads what go test -json prints. Shows the result of each package, and at the end what
the tests that failed have printed. A test that was skipped has failed, unless a line of
.ci/skips matches its name."""
import json
import re
import sys

expected = open(".ci/skips").read().split()
output, failed = {}, []
for line in sys.stdin:
    event = json.loads(line)
    action, test = event["Action"], event.get("Test")
    name = (event.get("Package") or event["ImportPath"]) + (" " + test if test else "")
    output[name] = output.get(name, "") + event.get("Output", "")
    if action == "skip" and test and not any(re.search(e, test) for e in expected):
        failed.append(("skipped, and .ci/skips does not name it", name))
    if action in ("fail", "build-fail"):
        failed.append(("failed", name))
    if action in ("pass", "fail") and not test:
        print(action, name, event["Elapsed"], "s", flush=True)
for reason, name in failed:
    print("\n== %s: %s\n%s" % (reason, name, output[name][:4000]))
sys.exit(len(failed) > 0)
