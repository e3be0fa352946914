"""Text out of documents. What reads strangers' bytes here belongs into a confined process."""
