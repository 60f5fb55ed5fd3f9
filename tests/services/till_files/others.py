"""Exports of other systems as such systems write them, each with a mapping and its outcome."""

from typing import NamedTuple


class Export(NamedTuple):
    """A file and its mapping; baskets as ``store basket: SKU=units ...``, times in UTC, and the lines of the rest."""

    content: bytes
    mapping: str
    baskets: dict[str, dict[str, int]]
    not_stock: dict[str, str] = {}
    rejected: tuple[str, ...] = ()
    times: dict[str, str] = {}
    conditions: tuple[str, ...] = ()
    suffix: str = ".csv"


EXPORTS: dict[str, Export] = {
    "clover: month names, AM and PM, a zone abbreviation, refund rows that name their order": Export(
        b"Line Item Date,Order ID,Item SKU,Item Name,Quantity,Refunded,Order Employee\r\n"
        b"16-Dec-2026 02:44 AM EST,ORD1,LAMP-1,Lamp,1,No,Kim\r\n"
        b"16-Dec-2026 02:44 AM EST,ORD1,BULB-9,Bulb,3,No,Kim\r\n"
        b"16-Dec-2026 11:05 PM EST,ORD2,LAMP-1,Lamp,1,Yes,Kim\r\n"
        b"16-Jul-2026 11:05 PM EDT,ORD3,BULB-9,Bulb,1,No,Kim\r\n"
        b"16-Dec-2026 11:06 PM CST,ORD4,BULB-9,Bulb,1,No,Kim\r\n",
        """
name = "Clover line items"
kind = "csv"
store = "7"
[columns]
basket = ["Order ID", "Refunded"]
sku = "Item SKU"
quantity = "Quantity"
sold_at = "Line Item Date"
[time]
zone = "America/New_York"
formats = ["%d-%b-%Y %I:%M %p EST", "%d-%b-%Y %I:%M %p EDT"]
[direction]
column = "Refunded"
out = ["No"]
in = ["Yes"]
[returns]
condition = "quarantine"
""",
        {"7 ORD1 No": {"LAMP-1": 1, "BULB-9": 3}, "7 ORD2 Yes": {"LAMP-1": -1}, "7 ORD3 No": {"BULB-9": 1}},
        rejected=("6",),
        times={"7 ORD1 No": "2026-12-16T07:44:00Z", "7 ORD3 No": "2026-07-17T03:05:00Z"},
        conditions=("quarantine",),
    ),
    "vend: sale rows above line rows, unit and sign of a return, tabs": Export(
        b"Date\tReceipt Number\tLine Type\tSku\tQuantity\tRegister\tStatus\n"
        b"2026-05-01T08:00:00Z\t1001\tSale\t\t\tMain\tCLOSED\n"
        b"2026-05-01T08:00:00Z\t1001\tSale Line\tHAT-1\t2\tMain\tCLOSED\n"
        b"2026-05-01T08:00:00Z\t1001\tSale Line\tvend-discount\t1\tMain\tCLOSED\n"
        b"2026-05-01T08:00:00Z\t1001\tPayment\tCash\t\tMain\tCLOSED\n"
        b"2026-05-01T09:00:00Z\t1002\tSale Line\tHAT-1\t-1\tMain\tCLOSED\n"
        b"2026-05-01T10:00:00Z\t1003\tSale Line\tHAT-1\t1\tMain\tONACCOUNT\n"
        b"2026-05-01T11:00:00Z\t1004\tSale Line\tHAT-1\t1\tMain\tLAYBY\n"
        b"2026-05-01T12:00:00Z\t1005\tSale Line\tHAT-1\t1\tMain\tVOIDED\n",
        """
name = "Vend sales history"
kind = "csv"
[columns]
store = "Register"
basket = "Receipt Number"
sku = "Sku"
quantity = "Quantity"
sold_at = "Date"
[stores]
Main = "31"
[returns]
condition = "sellable"
[[not_stock]]
column = "Line Type"
in = ["Sale", "Payment"]
why = "no-line"
[[not_stock]]
column = "Sku"
starts_with = "VEND-"
ignore_case = true
why = "discount"
[[not_stock]]
column = "Status"
in = ["VOIDED"]
why = "void"
[[words]]
column = "Status"
known = ["CLOSED", "ONACCOUNT"]
""",
        {"31 1001": {"HAT-1": 2}, "31 1002": {"HAT-1": -1}, "31 1003": {"HAT-1": 1}},
        not_stock={"2": "no-line", "4": "discount", "5": "no-line", "9": "void"},
        rejected=("8",),
    ),
    "jtl: latin-1, semicolons, decimal comma, minus behind the number, a two-line header, totals at the end": Export(
        (
            "Kassenbericht Filiale Süd;;;;;;\n"
            "Beleg;Beleg;Artikel;Artikel;Menge;Vorgang;Steuer\n"
            "Nummer;Zeit;Nummer;Text;;;Satz\n"
            "B-1;02.03.2026 09:15;Ä-100;Bürste;2,000;Umsatz;19\n"
            "B-1;02.03.2026 09:15;K-5;Käse;0,355;Umsatz;7\n"
            "B-2;02.03.2026 09:20;Ä-100;Bürste;1,000-;Umsatz;19\n"
            "B-3;02.03.2026 09:25;Ä-100;Bürste;1.000,000;Umsatz;19\n"
            "B-4;02.03.2026 09:30;Ä-100;Bürste;1;Übung;19\n"
            "Summe;;;;1.001,355;;\n"
        ).encode("latin-1"),
        """
name = "JTL"
kind = "csv"
store = "S"
[layout]
encoding = "latin-1"
header_at = 2
header_lines = 2
[columns]
basket = "Beleg Nummer"
sku = "Artikel Nummer"
quantity = "Menge"
sold_at = "Beleg Zeit"
[time]
zone = "Europe/Berlin"
formats = ["%d.%m.%Y %H:%M"]
[numbers]
decimal = ","
thousands = "."
negative = ["1-"]
[units.skus]
K-5 = 1000
[returns]
condition = "sellable"
[[not_stock]]
row_starts_with = "Summe"
why = "total"
[[not_stock]]
column = "Vorgang"
in = ["Übung"]
why = "training"
""",
        {"S B-1": {"Ä-100": 2, "K-5": 355}, "S B-2": {"Ä-100": -1}, "S B-3": {"Ä-100": 1000}},
        not_stock={"8": "training", "9": "total"},
        times={"S B-1": "2026-03-02T08:15:00Z"},
    ),
    "aloha: heads, lines and payments as types of rows, numbers in words": Export(
        b"H|20260301|081500|0012|T\r\nI|4711|one\r\nI|4712|2\r\nP|CASH|12.00\r\nH|20260301|081700|0013|T\r\nI|4711|-1\r\n"
        b"X|?\r\nH|broken|too|many|cells|here\r\nI|4711|9\r\n",
        """
name = "Aloha"
kind = "csv"
store = "A"
[layout]
delimiter = "|"
[rows.heads]
H = ["type", "day", "time", "check", "mode"]
[rows.lines]
I = ["type", "plu", "count"]
[rows.pass_over]
P = "payment"
[columns]
basket = "check"
sku = "plu"
quantity = "count"
sold_at = ["day", "time"]
[time]
zone = "America/Denver"
formats = ["%Y%m%d %H%M%S"]
[numbers.words]
one = "1"
[returns]
condition = "damaged"
""",
        {"A 0012": {"4711": 1, "4712": 2}, "A 0013": {"4711": -1}},
        not_stock={"1": "head", "4": "payment", "5": "head"},
        rejected=("7", "8", "9"),
        times={"A 0012": "2026-03-01T15:15:00Z"},
        conditions=("damaged",),
    ),
    "zettle: UTF-16, two columns for sold and returned, parentheses": Export(
        (
            "Date,Receipt,Shop,Variant SKU,Sold,Returned\n"
            "2026-06-01 10:00,55,North,TEA,3,\n"
            "2026-06-01 10:00,55,North,CUP,,1\n"
            "2026-06-01 10:05,56,North,TEA,(2),\n"
        ).encode("utf-16"),
        """
name = "Zettle"
kind = "csv"
[columns]
store = "Shop"
basket = "Receipt"
sku = "Variant SKU"
quantity = { plus = ["Sold"], minus = ["Returned"] }
sold_at = "Date"
[time]
zone = "Europe/Stockholm"
formats = ["%Y-%m-%d %H:%M"]
[numbers]
negative = ["(1)"]
[returns]
condition = "sellable"
""",
        {"North 55": {"TEA": 3, "CUP": -1}, "North 56": {"TEA": -2}},
    ),
    "hiboutik: a return known by the sign of its money, apostrophes as thousands, French months": Export(
        (
            "N° ticket;Date;Code barre;Quantité;Total TTC;Magasin\n"
            "1;3 févr. 2026 14:05;4012345678901;1'200;100,00;Paris\n"
            "2;3 févr. 2026 14:06;4012345678901;2;-10,00;Paris\n"
            "3;3 févr. 2026 14:07;4012345678902;2;10,00;Paris\n"
        ).encode(),
        """
name = "Hiboutik"
kind = "csv"
[columns]
store = "Magasin"
basket = "N° ticket"
sku = "Code barre"
quantity = "Quantité"
sold_at = "Date"
[time]
zone = "Europe/Paris"
formats = ["%d %m %Y %H:%M"]
[time.words]
"janv." = "01"
"févr." = "02"
[numbers]
decimal = ","
thousands = "'"
[gtin]
columns = ["Code barre"]
[direction]
in_when = [{ column = "Total TTC", negative = true }]
[returns]
condition = "sellable"
""",
        {"Paris 1": {"4012345678901": 1200}, "Paris 2": {"4012345678901": -2}},
        rejected=("4",),
        times={"Paris 1": "2026-02-03T13:05:00Z"},
    ),
    "magento: all items of an order in one cell": Export(
        b"id,created_at,store,items,status\n"
        b'100001,"2026-02-01 10:00:00",Web POS 1,"sku:A-1 qty:2; sku:B-2 qty:1",complete\n'
        b'100002,"2026-02-01 10:01:00",Web POS 1,"sku:A-1 qty:1; gift wrap",complete\n'
        b'100003,"2026-02-01 10:02:00",Web POS 1,"sku:A-1 qty:5",canceled\n'
        b'100004,"2026-02-01 10:03:00",Web POS 1,"sku:A-1 qty:5",mystery\n',
        """
name = "Magento POS"
kind = "csv"
[columns]
store = "store"
basket = "id"
sku = "sku"
quantity = "qty"
sold_at = "created_at"
[stores]
"Web POS 1" = "1"
[time]
zone = "UTC"
formats = ["%Y-%m-%d %H:%M:%S"]
[items]
column = "items"
separator = ";"
pattern = 'sku:(?P<sku>\\S+) qty:(?P<qty>\\d+)'
[[not_stock]]
column = "status"
in = ["canceled"]
why = "cancelled"
[[words]]
column = "status"
known = ["complete"]
""",
        {"1 100001": {"A-1": 2, "B-2": 1}, "1 100002": {"A-1": 1}},
        not_stock={"4": "cancelled"},
        rejected=("3#2", "5"),
    ),
    "a returns desk: the condition of goods by a word of a column": Export(
        b"shop,slip,at,sku,qty,kind,reason\n"
        b"1,r1,2026-01-05T10:00:00+01:00,A,1,return,like new\n"
        b"1,r1,2026-01-05T10:00:00+01:00,A,2,return,broken\n"
        b"1,r2,2026-01-05T10:00:00+01:00,A,1,return,odd\n",
        """
name = "Returns desk"
kind = "csv"
[columns]
store = "shop"
basket = "slip"
sku = "sku"
quantity = "qty"
sold_at = "at"
[direction]
column = "kind"
out = ["sale"]
in = ["return"]
[returns]
column = "reason"
words = { "like new" = "sellable", "broken" = "damaged" }
""",
        {"1 r1": {"A": -3}},
        rejected=("4",),
        conditions=("damaged", "sellable"),
    ),
    "a web shop's feed: nested objects, text as quantity, a list that is none": Export(
        b'{"id":9,"placed":1780000000,"store":{"code":"7"},"cart":[{"product":{"code":"A"},"count":"2"},{"product":{"code":"B"},"count":true}]}\n'
        b'{"id":10,"placed":1780000001,"store":{"code":"7"},"cart":"none"}\n'
        b'{"id":11,"placed":1780000002,"store":{"code":"7"},"cart":[{"product":{"code":"A"},"count":1e0},7]}',
        """
name = "A feed"
kind = "ndjson"
[columns]
store = "store.code"
basket = "id"
sku = "cart.product.code"
quantity = "cart.count"
sold_at = "placed"
[time]
formats = ["unix"]
[ndjson]
lines = "cart"
""",
        {"7 9": {"A": 2}, "7 11": {"A": 1}},
        rejected=("1#2", "2", "3#2"),
        suffix=".ndjson",
    ),
    "an old list: the shop in a title, the day in the file's name, no cells at the end, void words": Export(
        b"Sales list;;;\nBranch: 0042 (Mill Lane);;;\n\nSlip;Hour;Code;Pieces;Kind;Note\n1;09:15;A;2;S;gift\n"
        b"1;09:15;A;1;V\n2;09:20;B;1;R\n3;09:21;B;1;?\n",
        """
name = "An old list"
kind = "csv"
[layout]
missing_cells = "blank"
file_name = 'export-(?P<day>[0-9]{8})'
[layout.titles]
branch = 'Branch: ([0-9]+)'
[columns]
store = "branch"
basket = ["Slip", "day"]
sku = "Code"
quantity = "Pieces"
sold_at = ["day", "Hour"]
[stores]
0042 = "42"
[time]
zone = "Europe/London"
formats = ["%Y%m%d %H:%M"]
[direction]
column = "Kind"
out = ["S"]
in = ["R"]
void = ["V"]
[returns]
condition = "damaged"
""",
        {"42 1 20260701": {"A": 1}, "42 2 20260701": {"B": -1}},
        not_stock={"1": "title", "2": "title"},
        rejected=("8",),
        times={"42 1 20260701": "2026-07-01T08:15:00Z"},
        conditions=("damaged",),
        suffix="-20260701.csv",
    ),
    "days without hours, quantities as text with a unit, footers without stock": Export(
        b"Article,Sold,Day\nA,12 pcs,2026-04-01\nB,1.5 kg,2026-04-01\nC,3 boxes,2026-04-01\nTotal,15,\n",
        """
name = "Totals of days"
kind = "csv"
store = "5"
[columns]
basket = { join = [{ constant = "day" }, "Day"], with = " " }
sku = "Article"
quantity = { column = "Sold", pattern = '^[0-9.]+' }
unit = { column = "Sold", pattern = '[a-z]+$' }
sold_at = "Day"
[time]
zone = "Europe/Rome"
formats = ["%Y-%m-%d"]
time_of_day = "23:00"
[units.words]
pcs = 1
kg = "1000"
[[not_stock]]
row_starts_with = "Total"
why = "total"
""",
        {"5 day 2026-04-01": {"A": 12, "B": 1500}},
        not_stock={"5": "total"},
        rejected=("4",),
        times={"5 day 2026-04-01": "2026-04-01T21:00:00Z"},
    ),
}
