"""Items of the demonstration: names and prices. The brands are invented."""

from bopis.wire.catalogue import Article

BRANDS = ("Larkspur", "Old Mill", "Northfield", "Harbor Lane", "Sunny Acre", "Three Oaks", "Millbrook", "Red Barn")
SIZES = {
    "DAIRY": ("500 ml", "1 l", "6-pack"),
    "BAKERY": ("400 g", "750 g", "4-pack"),
    "PRODUCE": ("500 g", "1 kg", "organic"),
    "MEAT": ("250 g", "500 g", "family pack"),
    "FROZEN": ("300 g", "750 g", "2-pack"),
    "PANTRY": ("250 g", "500 g", "1 kg"),
    "DRINKS": ("500 ml", "1 l", "6-pack"),
    "SNACKS": ("90 g", "200 g", "share bag"),
    "HOUSEHOLD": ("small", "large", "refill"),
    "BEAUTY": ("75 ml", "200 ml", "travel size"),
    "BABY": ("small", "large", "value pack"),
    "LIMITED": ("limited edition",),
}
PRODUCTS = {
    "DAIRY": (
        "whole milk", "oat drink", "plain yogurt", "cream", "kefir", "buttermilk", "vanilla pudding", "soy drink",
        "cottage cheese", "strawberry yogurt", "cheddar sticks", "almond drink",
    ),
    "BAKERY": (
        "rye bread", "sourdough loaf", "bagels", "burger buns", "cinnamon rolls", "tortillas", "pita", "muffins",
        "croissants", "multigrain bread",
    ),
    "PRODUCE": (
        "bananas", "apples", "carrots", "potatoes", "tomatoes", "spinach", "onions", "grapes", "lemons", "peppers",
        "mushrooms", "blueberries", "broccoli",
    ),
    "MEAT": ("chicken breast", "ground beef", "ham", "turkey slices", "bacon", "pork chops", "salami", "meatballs"),
    "FROZEN": (
        "peas", "french fries", "margherita pizza", "berries", "fish sticks", "spinach", "vanilla ice cream",
        "dumplings", "waffles", "sweet corn",
    ),
    "PANTRY": (
        "spaghetti", "basmati rice", "rolled oats", "flour", "sugar", "lentils", "black beans", "peanut butter",
        "tomato sauce", "granola", "couscous", "honey", "coffee beans", "green tea", "chickpeas", "olives", "mustard",
        "cornflakes", "penne", "cocoa powder",
    ),
    "DRINKS": (
        "orange juice", "sparkling water", "cola", "lemonade", "iced tea", "apple juice", "ginger ale", "cold brew",
        "tomato juice", "still water", "root beer", "tonic water",
    ),
    "SNACKS": (
        "tortilla chips", "pretzels", "trail mix", "dark chocolate", "popcorn", "rice crackers", "gummy bears",
        "salted peanuts", "oat cookies", "fruit bars",
    ),
    "HOUSEHOLD": (
        "dish soap", "laundry detergent", "paper towels", "trash bags", "glass cleaner", "sponges", "candles",
        "aluminum foil", "batteries",
    ),
    "BEAUTY": ("shampoo", "hand cream", "toothpaste", "shower gel", "sunscreen", "lip balm"),
    "BABY": ("diapers", "wet wipes", "baby lotion"),
    "LIMITED": (
        "chef's knife", "cast-iron pan", "espresso maker", "picnic basket", "desk lamp", "wool blanket", "board game",
        "garden chair",
    ),
}  # fmt: skip
CENTS_MIN, CENTS_STEPS, CENTS_STEP = 99, 40, 50
PRIME = 7_919


def articles(categories: dict[str, str]) -> dict[str, Article]:
    """An article with a name of its own for each SKU, by its category."""
    counts: dict[str, int] = {}
    found = {}
    for sku, category in categories.items():
        number = counts[category] = counts.get(category, -1) + 1
        found[sku] = Article(sku=sku, name=_name(category, number), category=category)
    return found


def price_cents(sku: str) -> int:
    """The price of a SKU in US cents: always the same."""
    return CENTS_MIN + sum(map(ord, sku)) * PRIME % CENTS_STEPS * CENTS_STEP


def _name(category: str, number: int) -> str:
    """The name of the item of this number in its category; a series follows when all combinations are used."""
    products, sizes = PRODUCTS[category], SIZES[category]
    number, product = divmod(number, len(products))
    number, size = divmod(number, len(sizes))
    series, brand = divmod(number, len(BRANDS))
    name = f"{BRANDS[brand]} {products[product]}, {sizes[size]}"
    return f"{name}, no. {series + 1}" if series else name
