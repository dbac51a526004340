"""What two players are paid."""
