"""What tests share: the cast, fakes of the outside world, a database with real transactions."""
