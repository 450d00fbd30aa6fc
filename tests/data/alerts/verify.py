"""Checks the signature of each line of JSON on standard input with PyPI's standardwebhooks; says how many hold."""
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

good = forged = 0
for line in sys.stdin:
    got = json.loads(line)
    webhook = Webhook(got["secret"])
    webhook.verify(got["body"], got["headers"])
    good += 1
    try:
        webhook.verify(got["body"] + " ", got["headers"])
        forged += 1
    except WebhookVerificationError:
        pass
print(json.dumps({"good": good, "forged": forged}))
