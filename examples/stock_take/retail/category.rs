//! What kind of goods an article is.

use super::text::words;

/// Words that tell a category, without their plural `S`; the first category with a word of the name
/// has it.
const CATEGORIES: [(&str, &str); 12] = [
    (
        "Christmas",
        "CHRISTMAS XMAS ADVENT BAUBLE CRACKER REINDEER SANTA SNOWMAN NATIVITY WREATH \
         TINSEL",
    ),
    (
        "Jewellery",
        "NECKLACE BRACELET EARRING RING BANGLE BROOCH CHARM HAIR BEAD NECKL PENDANT \
         BRACLET",
    ),
    (
        "Candles",
        "CANDLE TLIGHT TEALIGHT INCENSE CHAMBERSTICK CANDLEHOLDER BURNER CANDLESTICK",
    ),
    ("Lights", "LIGHT LAMP LANTERN LAMPSHADE TORCH CHANDELIER"),
    (
        "Bags",
        "BAG SHOPPER PURSE HANDBAG BACKPACK RUCKSACK SUITCASE LUGGAGE HOLDALL WALLET",
    ),
    (
        "Kitchen and table",
        "MUG CUP TEACUP TEAPOT TEA COFFEE KITCHEN BOWL PLATE CAKE BAKING CUTLERY JAR DISH \
         LUNCH SPOON TEASPOON FORK KNIFE CAKESTAND CAKESTANDS BISCUIT COOKIE PAN JUG TRAY \
         COASTER EGG ROLLING CHEESE RECIPE COLANDER JELLY JAM PLACEMAT GLASSES TUMBLER \
         GOBLET TIMER BREAD POPCORN SNACK SPICE",
    ),
    (
        "Cards and paper",
        "CARD PAPER WRAP NOTEBOOK NOTE POSTCARD PENCIL PEN STICKER TISSUE NAPKIN RIBBON \
         TAPE DOILY DOILEY DOILIES BOOK NOTEPAD CALENDAR ERASER TAG STATIONERY ENVELOPE \
         JOURNAL DIARY CHALK ORGANISER RULER",
    ),
    (
        "Textiles",
        "CUSHION TEXTILE TOWEL APRON THROW QUILT COVER RUG LINEN GLOVE SCARF CURTAIN \
         BUNTING HAMMOCK UMBRELLA PARASOL SLIPPER FELT DOORMAT MAT BLANKET HAT PONCHO \
         BOTTLE SEWING RAINCOAT",
    ),
    (
        "Toys",
        "TOY GAME JIGSAW PUZZLE DOLL DOLLY SKITTLE DOMINOES PLAYING SKIPPING KAZOO \
         STACKING BALLOON SPINNING INFLATABLE BINGO LUDO TEDDY CHILDREN CHILDRENS CHILD \
         MAGIC SOLDIER PARTY PLANE DINOSAUR GLIDER YOYO MARBLE HARMONICA",
    ),
    (
        "Garden",
        "GARDEN PLANT PLANTER WATERING SEED HERB BIRD FLOWER TROWEL BIRDHOUSE LAWN PICNIC \
         OUTDOOR",
    ),
    (
        "Boxes and storage",
        "BOX BOXES TIN STORAGE BASKET DRAWER CABINET RACK BANK BUCKET CRATE SHELF CHEST \
         HOLDER POT CASE",
    ),
    (
        "Home decoration",
        "SIGN FRAME MIRROR CLOCK HOOK HANGING DECORATION HEART WALL ART GARLAND MAGNET \
         DOOR DOORSTOP KNOB HANGER ORNAMENT VASE CHAIN METAL STAND CUPID LETTER TABLE \
         CHAIR PHOTO PICTURE STAR BELL TILE KEY WOODEN CERAMIC GLASS FAIRY BATHROOM",
    ),
];

/// What kind of goods a name tells of.
pub(super) fn category(name: &str) -> &'static str {
    let name = name.to_uppercase().replace("T-LIGHT", "TLIGHT");
    CATEGORIES
        .into_iter()
        .find(|(_, told_by)| {
            words(&name).any(|word| {
                let singular = word.strip_suffix('S').unwrap_or(word);
                told_by
                    .split(' ')
                    .any(|told| told == word || told == singular)
            })
        })
        .map_or("Other", |(category, _)| category)
}
