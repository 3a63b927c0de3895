"""Reads what go test -json prints. Shows the result of each package, and at the end what
the tests that failed have printed. A test that was skipped has failed. Writes
the packages with a failure into the file that is named."""
import json
import sys

output, failed, packages = {}, [], set()
for line in sys.stdin:
    event = json.loads(line)
    action, test = event["Action"], event.get("Test")
    name = (event.get("Package") or event["ImportPath"]) + (" " + test if test else "")
    output[name] = output.get(name, "") + event.get("Output", "")
    if action == "skip" and test:
        failed.append(("skipped", name))
        packages.add(event["Package"])
    if action in ("fail", "build-fail"):
        failed.append(("failed", name))
        packages.add(event.get("Package") or event["ImportPath"].split()[0])
    if action in ("pass", "fail") and not test:
        print(action, name, event["Elapsed"], "s", flush=True)
for reason, name in failed:
    print("\n== %s: %s\n%s" % (reason, name, output[name][:4000]))
open(sys.argv[1], "w").write("".join(p + "\n" for p in packages))
sys.exit(len(failed) > 0)
