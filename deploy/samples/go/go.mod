module example.bank/accounts

go 1.22
