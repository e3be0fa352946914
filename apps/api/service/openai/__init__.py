"""OpenAI's API before an app: the app behind the key is the model. What it takes and leaves out: docs/contract.md."""
