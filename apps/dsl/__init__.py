"""App files in Dify's DSL, without a database: read, check, compare, write."""
